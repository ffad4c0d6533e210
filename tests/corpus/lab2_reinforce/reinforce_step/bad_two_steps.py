# The optimizer makes two steps with one and the same gradient.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
