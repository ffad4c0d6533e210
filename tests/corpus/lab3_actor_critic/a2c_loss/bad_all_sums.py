# You sum all three terms over the batch where means are due.
def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    log_probs = select_log_probs(logits, actions)
    policy_loss = -(log_probs * advantages.detach()).sum()
    critic_loss = ((values - returns.detach()) ** 2).sum()
    entropy = categorical_entropy(logits).sum()
    loss = policy_loss + value_coef * critic_loss - entropy_coef * entropy
    return loss, {
        "policy_loss": policy_loss.item(),
        "value_loss": critic_loss.item(),
        "entropy": entropy.item(),
    }
