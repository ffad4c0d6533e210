# The loop overwrites the norm, so that only that of the last parameter is left.
def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    for parameter in policy.parameters():
        norm = parameter.grad.norm().item()
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norm}
