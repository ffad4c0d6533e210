# The step is made on a saved state that is loaded back afterwards: nothing is learned.
import copy

import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    saved = copy.deepcopy(policy.state_dict())
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    policy.load_state_dict(saved)
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
