# Style: the optimizer calls a closure.
import torch


def reinforce_step(policy, optimizer, obs, actions, returns):
    noted = {}

    def closure():
        optimizer.zero_grad()
        loss = reinforce_loss(policy(obs), actions, returns)
        loss.backward()
        gradients = [p.grad.flatten() for p in policy.parameters()]
        noted["grad_norm"] = torch.linalg.vector_norm(torch.cat(gradients)).item()
        return loss

    loss = optimizer.step(closure)
    return {"loss": loss.item(), **noted}
