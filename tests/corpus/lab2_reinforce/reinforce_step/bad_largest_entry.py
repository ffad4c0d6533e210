# It is the largest entry of the gradient, not its norm.
def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norm = max(p.grad.abs().max().item() for p in policy.parameters())
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norm}
