# Only the return of the first step comes back; every step has one.
def discounted_returns(rewards, gamma, last_value=0.0):
    running = last_value
    for reward in rewards.flip(0):
        running = reward + gamma * running
    return running
