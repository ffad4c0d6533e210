# Your mask is one step early: it asks whether the step after this one ends the task.
import torch


def td_error(rewards, values, next_values, terminated, gamma):
    after = torch.cat([terminated[1:], torch.zeros_like(terminated[:1])])
    return rewards + gamma * next_values * (~after) - values
