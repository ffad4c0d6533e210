# You keep the dimension that multinomial makes: [B, 1] where [B] is due.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator)
    return actions, torch.log_softmax(logits, -1).gather(-1, actions)
