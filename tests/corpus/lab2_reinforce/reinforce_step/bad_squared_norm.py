# The root is missing: it is the squared norm of the gradient.
def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norm = sum(p.grad.square().sum().item() for p in policy.parameters())
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norm}
