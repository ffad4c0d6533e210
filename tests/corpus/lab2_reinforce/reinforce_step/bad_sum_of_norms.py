# The norms of the parameters are added up; the norm over all of them together is due.
def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norm = sum(p.grad.norm().item() for p in policy.parameters())
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norm}
