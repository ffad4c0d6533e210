# Style: statistics weighted by the size of the minibatch; a dataclass collects them; the stop is measured on the whole batch after each epoch.
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F


@dataclass
class Stats:
    policy_loss: float = 0.0
    value_loss: float = 0.0
    entropy: float = 0.0
    approx_kl: float = 0.0
    clip_fraction: float = 0.0


def ppo_update(model, optimizer, rollout, config, generator):
    stats, samples = Stats(), 0
    for _ in range(config.epochs):
        for idx in minibatch_indices(rollout["obs"].shape[0], config.minibatch_size, generator):
            logits, values = model(rollout["obs"][idx])
            dist = Categorical(logits=logits)
            new = dist.log_prob(rollout["actions"][idx])
            old = rollout["log_probs"][idx]
            adv = rollout["advantages"][idx]
            if config.normalize_advantages and adv.numel() > 1:
                adv = (adv - adv.mean()) / adv.std(correction=0).clamp(min=1e-8)
            policy_loss = clipped_surrogate_loss(new, old, adv, config.clip_epsilon)
            value_loss = F.mse_loss(values, rollout["returns"][idx])
            entropy = dist.entropy().mean()
            model.zero_grad()
            (policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy).backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()

            m = len(idx)
            samples += m
            stats.policy_loss += m * policy_loss.item()
            stats.value_loss += m * value_loss.item()
            stats.entropy += m * entropy.item()
            stats.approx_kl += m * approx_kl(new, old)
            outside = (probability_ratio(new, old) - 1).abs() > config.clip_epsilon
            stats.clip_fraction += outside.sum().item()
        if config.target_kl is not None:
            with torch.no_grad():
                logits, _ = model(rollout["obs"])
                now = Categorical(logits=logits).log_prob(rollout["actions"])
            if approx_kl(now, rollout["log_probs"]) > config.target_kl:
                break
    return {name: total / samples for name, total in asdict(stats).items()}
