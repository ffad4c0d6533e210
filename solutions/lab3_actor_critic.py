# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %%
import numpy as np
import torch
from torch import nn


def select_log_probs(logits: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the actions taken (lab 1): logits [..., A], actions [...] -> [...]."""
    return logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)


# %%
class ActorCritic(nn.Module):
    def __init__(self, obs_dim: int, n_actions: int, hidden: int = 64):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.critic = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, obs):
        return self.actor(obs), self.critic(obs).squeeze(-1)


def monte_carlo_advantages(returns, values):
    return returns - values.detach()


def td_error(rewards, values, next_values, terminated, gamma):
    return rewards + gamma * next_values * (~terminated) - values


def value_loss(values, targets):
    return (values - targets.detach()).square().mean()


def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)


def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    log_probs = select_log_probs(logits, actions)
    policy_loss = -(log_probs * advantages.detach()).mean()
    critic_loss = value_loss(values, returns)
    entropy = categorical_entropy(logits).mean()
    loss = policy_loss + value_coef * critic_loss - entropy_coef * entropy
    parts = {
        "policy_loss": policy_loss.item(),
        "value_loss": critic_loss.item(),
        "entropy": entropy.item(),
    }
    return loss, parts
