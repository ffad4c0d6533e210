# Your parts are tensors, perhaps with their graph: plain floats are due.
def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    log_probs = select_log_probs(logits, actions)
    policy_loss = -(log_probs * advantages.detach()).mean()
    critic_loss = value_loss(values, returns)
    entropy = categorical_entropy(logits).mean()
    loss = policy_loss + value_coef * critic_loss - entropy_coef * entropy
    return loss, {
        "policy_loss": policy_loss.detach(),
        "value_loss": critic_loss.detach(),
        "entropy": entropy.detach(),
    }
