# When the optimizer makes its step, the policy has no gradients: they were cleared too early, or belong to a copy of the policy.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.zero_grad()
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
