# There is a step of its own for each sample, instead of one for the batch.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    total = 0.0
    for o, a, g in zip(obs, actions, returns):
        loss = reinforce_loss(policy(o[None]), a[None], g[None])
        optimizer.zero_grad()
        loss.backward()
        norms = torch.stack([p.grad.norm() for p in policy.parameters()])
        optimizer.step()
        total += loss.item()
    return {"loss": total / len(obs), "grad_norm": norms.norm().item()}
