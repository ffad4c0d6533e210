# PyTorch refuses an operation; its message is below. With flags, ~terminated turns a mask round (1 - terminated does not work), and an `if` about a whole tensor has no answer.
def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + gamma * next_values * (1 - terminated) - values
