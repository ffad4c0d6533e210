# You take values[t + 1] for the next value, although next_values is passed in: at the last step there is none.
import torch


def td_error(rewards, values, next_values, terminated, gamma):
    after = torch.cat([values[1:], torch.zeros_like(values[:1])])
    return rewards + gamma * after * (~terminated) - values
