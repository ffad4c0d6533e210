# Style: backwards over the tensor, written into an empty one.
import torch


def discounted_returns(rewards: torch.Tensor, gamma: float, last_value: float = 0.0) -> torch.Tensor:
    returns = torch.empty_like(rewards)
    running = torch.tensor(float(last_value))
    for t in reversed(range(len(rewards))):
        running = rewards[t] + gamma * running
        returns[t] = running
    return returns
