import torch


def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    B = logits.shape[0]
    log_p = torch.log_softmax(logits, dim=1)
    policy_terms, entropies = [], []
    for row, action, advantage in zip(log_p, actions, advantages.tolist()):
        policy_terms.append(-row[action] * advantage)
        entropies.append(-(row.exp() * row).sum())
    policy_loss, entropy = torch.stack(policy_terms).mean(), sum(entropies) / B
    value_part = (values - returns.detach()) @ (values - returns.detach()) / B
    loss = policy_loss + value_coef * value_part - entropy_coef * entropy
    return loss, {
        "policy_loss": policy_loss.item(),
        "value_loss": value_part.item(),
        "entropy": entropy.item(),
        "loss": loss.item(),
    }
