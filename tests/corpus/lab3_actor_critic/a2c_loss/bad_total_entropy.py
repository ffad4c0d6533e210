# You add the entropies of the batch up where their mean is due.
def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    policy = -(select_log_probs(logits, actions) * advantages.detach()).mean()
    critic = value_loss(values, returns)
    entropy = categorical_entropy(logits).sum()
    loss = policy + value_coef * critic - entropy_coef * entropy
    parts = {"policy_loss": policy, "value_loss": critic, "entropy": entropy}
    return loss, {name: part.item() for name, part in parts.items()}
