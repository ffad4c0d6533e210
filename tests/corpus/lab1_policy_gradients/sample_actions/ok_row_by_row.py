import torch


def sample_actions(logits, generator):
    if len(logits) > 1:
        print("drawing")
    chosen = [torch.multinomial(row, 1, generator=generator) for row in logits.softmax(-1)]
    actions = torch.cat(chosen)
    return actions, torch.log_softmax(logits, -1).gather(-1, actions.unsqueeze(-1))[:, 0]
