# Style: clip_grad_norm_ with infinity changes nothing and returns the norm.
from torch import nn


def reinforce_step(policy, optimizer, obs, actions, returns):
    policy.zero_grad()
    loss = reinforce_loss(policy(obs), actions, returns)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(policy.parameters(), float("inf"))
    optimizer.step()
    return dict(loss=loss.item(), grad_norm=norm.item())
