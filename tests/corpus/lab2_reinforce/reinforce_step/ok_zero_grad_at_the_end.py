# Style: the gradients are cleared after the step, ready for the next call.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    loss.backward()
    flat = torch.cat([p.grad.reshape(-1) for p in policy.parameters()])
    grad_norm = float(flat.norm())
    optimizer.step()
    optimizer.zero_grad()
    return {"grad_norm": grad_norm, "loss": float(loss)}
