# The policy is asked under torch.no_grad, so backward has no graph to go through.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    with torch.no_grad():
        logits = policy(obs)
    loss = reinforce_loss(logits, actions, returns)
    optimizer.zero_grad()
    loss.backward()
    norms = torch.stack([p.grad.norm() for p in policy.parameters()])
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": norms.norm().item()}
