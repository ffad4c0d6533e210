# Style: the sum of all squared entries and a root, in Python numbers.
import math


def reinforce_step(policy, optimizer, obs, actions, returns):
    for parameter in policy.parameters():
        parameter.grad = None
    loss = reinforce_loss(policy(obs), actions, returns)
    loss.backward()
    total = sum((p.grad**2).sum().item() for p in policy.parameters() if p.grad is not None)
    optimizer.step()
    return {"loss": loss.item(), "grad_norm": math.sqrt(total)}
