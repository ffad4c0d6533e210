# Style: log-softmax and gather, under a no_grad for the constant.
import torch


def reinforce_loss(logits, actions, returns):
    with torch.no_grad():
        weights = returns.clone()
    log_p = torch.log_softmax(logits, dim=1)
    chosen = torch.gather(log_p, 1, actions.view(-1, 1)).view(-1)
    return -torch.dot(chosen, weights) / len(actions)
