# The returns are centered in place, so the caller's tensor is changed.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    returns -= returns.mean()
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
