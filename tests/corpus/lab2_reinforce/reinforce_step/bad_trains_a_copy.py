# When the optimizer makes its step, the policy has no gradients: they were cleared too early, or belong to a copy of the policy.
import copy

import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    student = copy.deepcopy(policy)
    loss = reinforce_loss(student(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in student.parameters()])
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
