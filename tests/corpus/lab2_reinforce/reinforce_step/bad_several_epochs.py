# The batch is used for several steps; REINFORCE uses it once and then plays anew.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    for _ in range(4):
        loss = reinforce_loss(policy(obs), actions, returns)
        optimizer.zero_grad()
        loss.backward()
        norms = torch.stack([p.grad.norm() for p in policy.parameters()])
        optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
