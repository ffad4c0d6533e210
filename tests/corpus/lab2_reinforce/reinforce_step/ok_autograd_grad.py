# Style: torch.autograd.grad, and the gradients put in place by hand.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    loss = reinforce_loss(policy(obs), actions, returns)
    parameters = list(policy.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient
    optimizer.step()
    norm = sum(g.square().sum() for g in gradients).sqrt()
    return {"loss": loss.detach().numpy().item(), "grad_norm": norm.item()}
