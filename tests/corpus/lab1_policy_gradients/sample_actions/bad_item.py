# You turn the draw into a number with .item(), which works for a batch of one only.
import torch


def sample_actions(logits, generator):
    action = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).item()
    return torch.tensor([action]), torch.log_softmax(logits, -1)[:, action]
