# The loss that comes back is that of the policy after the step.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    with torch.no_grad():
        loss = reinforce_loss(policy(obs), actions, returns)
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
