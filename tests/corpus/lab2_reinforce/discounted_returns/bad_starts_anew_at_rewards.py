# The sum starts anew at every reward that is not zero, as in a game of many points. Here an episode is one sum.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        if reward != 0:
            running = 0.0
        running = reward + gamma * running
        found.append(running)
    return torch.tensor(found[::-1])
