import torch.nn.functional as F


def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    weights, targets = advantages.detach(), returns.detach()
    policy_loss = (F.cross_entropy(logits, actions, reduction="none") * weights).mean()
    critic_loss = (values - targets).pow(2).mean()
    entropy = F.cross_entropy(logits, logits.softmax(-1), reduction="mean")
    total = sum([policy_loss, value_coef * critic_loss, -entropy_coef * entropy])
    parts = {}
    parts["policy_loss"] = policy_loss.detach().item()
    parts["value_loss"] = critic_loss.detach().item()
    parts["entropy"] = entropy.detach().item()
    return total, parts
