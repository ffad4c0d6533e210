# You have 0.5 and 0.01 written into the code: both coefficients are arguments.
def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    log_probs = select_log_probs(logits, actions)
    policy_loss = -(log_probs * advantages.detach()).mean()
    critic_loss = value_loss(values, returns)
    entropy = categorical_entropy(logits).mean()
    loss = policy_loss + 0.5 * critic_loss - 0.01 * entropy
    return loss, {
        "policy_loss": policy_loss.item(),
        "value_loss": critic_loss.item(),
        "entropy": entropy.item(),
    }
