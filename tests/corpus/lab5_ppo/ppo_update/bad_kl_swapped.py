# Old and new have changed places in the approximate KL: you estimate a different divergence.
import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F


def ppo_update(model, optimizer, rollout, config, generator):
    stats = {"policy_loss": [], "value_loss": [], "entropy": [], "approx_kl": [], "clip_fraction": []}
    stop = False
    for epoch in range(config.epochs):
        for idx in minibatch_indices(len(rollout["obs"]), config.minibatch_size, generator):
            logits, values = model(rollout["obs"][idx])
            dist = Categorical(logits=logits)
            new_log_probs = dist.log_prob(rollout["actions"][idx])
            old_log_probs = rollout["log_probs"][idx]
            advantages = rollout["advantages"][idx]
            if config.normalize_advantages and len(advantages) > 1:
                advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)

            policy_loss = clipped_surrogate_loss(
                new_log_probs, old_log_probs, advantages, config.clip_epsilon
            )
            value_loss = F.mse_loss(values, rollout["returns"][idx])
            entropy = dist.entropy().mean()
            loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy

            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()

            with torch.no_grad():
                ratio = probability_ratio(new_log_probs, old_log_probs)
                clip_fraction = ((ratio - 1).abs() > config.clip_epsilon).float().mean()
            kl = approx_kl(old_log_probs, new_log_probs)
            stats["policy_loss"].append(policy_loss.item())
            stats["value_loss"].append(value_loss.item())
            stats["entropy"].append(entropy.item())
            stats["approx_kl"].append(kl)
            stats["clip_fraction"].append(clip_fraction.item())
            if config.target_kl is not None and kl > config.target_kl:
                stop = True
                break
        if stop:
            break
    return {name: sum(values) / len(values) for name, values in stats.items()}
