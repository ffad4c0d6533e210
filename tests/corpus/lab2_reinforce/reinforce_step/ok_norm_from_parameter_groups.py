# Style: the parameters come from the optimizer; the norm of norms.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    policy.train()
    optimizer.zero_grad()
    logits = policy(obs)
    loss = reinforce_loss(logits, actions, returns)
    loss.backward()
    with torch.no_grad():
        squares = torch.zeros(())
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                squares += parameter.grad.pow(2).sum()
    optimizer.step()
    return {"loss": loss.detach().item(), "grad_norm": squares.sqrt().item()}
