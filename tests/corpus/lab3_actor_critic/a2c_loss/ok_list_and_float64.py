import torch


def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    log_p = logits.double().log_softmax(-1)
    rows = torch.arange(len(actions))
    policy_loss = torch.neg(torch.mean(log_p[rows, actions] * advantages.detach().double()))
    critic = torch.mean(torch.square(values.double() - returns.detach().double()))
    entropy = torch.mean(torch.sum(-log_p * log_p.exp(), dim=1))
    loss = (policy_loss + value_coef * critic - entropy_coef * entropy).float()
    names = ["policy_loss", "value_loss", "entropy"]
    return [loss, dict(zip(names, (t.item() for t in (policy_loss, critic, entropy))))]
