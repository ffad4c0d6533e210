import torch


@torch.no_grad()
def td_error(rewards, values, next_values, terminated, gamma):
    discount = gamma * torch.logical_not(terminated)
    return torch.addcmul(rewards - values, discount.float(), next_values)
