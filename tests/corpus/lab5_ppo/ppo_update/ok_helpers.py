# Style: calls the helper functions of the earlier exercises; returns early when the KL passes its target.
import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F


def ppo_update(model, optimizer, rollout, config, generator):
    sums = {"policy_loss": 0.0, "value_loss": 0.0, "entropy": 0.0, "approx_kl": 0.0, "clip_fraction": 0.0}
    count = 0

    def means():
        return {name: total / count for name, total in sums.items()}

    for _ in range(config.epochs):
        for idx in minibatch_indices(len(rollout["obs"]), config.minibatch_size, generator):
            logits, values = model(rollout["obs"][idx])
            dist = Categorical(logits=logits)
            new_log_probs = dist.log_prob(rollout["actions"][idx])
            old_log_probs = rollout["log_probs"][idx]
            advantages = rollout["advantages"][idx]
            if config.normalize_advantages and len(idx) > 1:
                advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
            policy_loss = clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, config.clip_epsilon)
            value_loss = F.mse_loss(values, rollout["returns"][idx])
            entropy = dist.entropy().mean()
            loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()

            with torch.no_grad():
                ratio = probability_ratio(new_log_probs, old_log_probs)
                clip_fraction = ((ratio - 1).abs() > config.clip_epsilon).float().mean().item()
            kl = approx_kl(new_log_probs, old_log_probs)
            count += 1
            sums["policy_loss"] += policy_loss.item()
            sums["value_loss"] += value_loss.item()
            sums["entropy"] += entropy.item()
            sums["approx_kl"] += kl
            sums["clip_fraction"] += clip_fraction
            if config.target_kl is not None and kl > config.target_kl:
                return means()
    return means()
