# The gradient's norm is taken after the gradients were cleared, so it is always 0.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
