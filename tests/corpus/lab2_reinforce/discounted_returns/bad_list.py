# It returns a Python list; a tensor of shape [T] is due.
def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        found.append(running)
    return found[::-1]
