import torch


def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    with torch.no_grad():
        advantages, returns = advantages.clone(), returns.clone()
    log_p = logits - logits.logsumexp(dim=-1, keepdim=True)
    chosen = torch.nn.functional.one_hot(actions, logits.shape[-1]) * log_p
    per_sample = -chosen.sum(dim=-1) * advantages
    policy_loss = per_sample.mean()
    critic_loss = torch.mean((returns - values) ** 2)
    entropy = -(log_p.exp() * log_p).sum(dim=-1).mean()
    loss = policy_loss + value_coef * critic_loss + entropy_coef * (-entropy)
    return loss, {
        "entropy": entropy.item(), "value_loss": critic_loss.item(), "policy_loss": policy_loss.item(),
    }
