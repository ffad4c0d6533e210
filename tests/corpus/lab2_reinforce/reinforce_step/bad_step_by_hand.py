# The parameters are changed by hand, with a learning rate of its own; the optimizer is not used.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    gradients = torch.autograd.grad(loss, list(policy.parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(policy.parameters(), gradients):
            parameter -= 0.01 * gradient
    norm = torch.stack([g.norm() for g in gradients]).norm()
    return {"loss": loss.item(), "grad_norm": norm.item()}
