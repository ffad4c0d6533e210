# Only the gradient of the first parameter is measured.
def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norm = next(policy.parameters()).grad.norm().item()
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norm}
