# backward() is called on minus the loss, so the step makes it larger.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    (-loss).backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
