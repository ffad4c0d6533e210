# Style: split into two functions with annotations and a decorator; prints and warns; returns a defaultdict.
import functools
import warnings
from collections import defaultdict

import torch
from torch import Tensor, nn
from torch.distributions import Categorical


def announced(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        print("updating ...")
        result = function(*args, **kwargs)
        print({name: round(value, 4) for name, value in result.items()})
        return result

    return wrapper


def losses(model: nn.Module, batch: dict[str, Tensor], config) -> dict[str, Tensor]:
    logits, values = model(batch["obs"])
    policy = Categorical(logits=logits)
    log_ratio = policy.log_prob(batch["actions"]) - batch["log_probs"]
    ratio = log_ratio.exp()
    weights = batch["advantages"]
    if config.normalize_advantages:
        if weights.numel() == 1:
            weights = torch.zeros_like(weights)
        else:
            weights = (weights - weights.mean()) / (weights.std() + 1e-8)
    clipped_ratio = ratio.clamp(min=1 - config.clip_epsilon, max=1 + config.clip_epsilon)
    return {
        "policy_loss": -torch.minimum(weights * ratio, weights * clipped_ratio).mean(),
        "value_loss": torch.square(values - batch["returns"]).mean(),
        "entropy": policy.entropy().mean(),
        "approx_kl": torch.mean((ratio - 1) - log_ratio),
        "clip_fraction": torch.mean(((ratio - 1).abs() > config.clip_epsilon).float()),
    }


@announced
def ppo_update(model, optimizer, rollout, config, generator):
    """Several epochs of minibatch steps on one rollout."""
    stats, steps = defaultdict(float), 0
    for epoch in range(config.epochs):
        for idx in minibatch_indices(len(rollout["obs"]), config.minibatch_size, generator=generator):
            parts = losses(model, {name: x[idx] for name, x in rollout.items()}, config)
            total = parts["policy_loss"]
            total = total + config.value_coef * parts["value_loss"]
            total = total - config.entropy_coef * parts["entropy"]
            optimizer.zero_grad()
            total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            steps += 1
            for name, part in parts.items():
                stats[name] += float(part.detach())
            if config.target_kl is not None and parts["approx_kl"].item() > config.target_kl:
                warnings.warn(f"stopped in epoch {epoch}: the policy moved too far")
                for name in stats:
                    stats[name] /= steps
                return stats
    for name in stats:
        stats[name] /= steps
    return stats
