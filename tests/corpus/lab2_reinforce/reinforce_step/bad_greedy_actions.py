# The likeliest actions are put in the place of the ones that were taken.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    logits = policy(obs)
    loss = reinforce_loss(logits, logits.argmax(dim=-1), returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
