# New actions are drawn from the policy; the ones that earned the returns are not used.
import torch
from torch.distributions import Categorical


def reinforce_step(policy, optimizer, obs, actions, returns):
    logits = policy(obs)
    drawn = Categorical(logits=logits).sample()
    loss = reinforce_loss(logits, drawn, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
