# A new optimizer is made in every call; the one that was passed in is not used.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    loss = reinforce_loss(policy(obs), actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
