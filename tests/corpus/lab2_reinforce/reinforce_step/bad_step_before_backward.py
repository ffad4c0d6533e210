# The step comes before backward: it follows the gradient of the batch before this one.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
