# Only the next reward is looked at: r_t + gamma * r_{t+1}, and nothing after that.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    following = torch.cat([rewards[1:], torch.tensor([float(last_value)])])
    return rewards + gamma * following
