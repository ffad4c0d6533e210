# It returns a pair; a dict with the entries loss and grad_norm is due.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    return loss.item(), norms.norm().item()
