# backward() is missing: there is no gradient that the optimizer could follow.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    optimizer.zero_grad()
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.step()
    squares = sum(p.grad.square().sum() for p in policy.parameters() if p.grad is not None)
    return {"loss": loss.item(), "grad_norm": float(squares) ** 0.5}
