# It returns nothing: the caller gets None.
import torch
from torch import nn
from torch.nn import functional as F


def ppo_update(model, optimizer, rollout, config, generator):
    obs, actions = rollout["obs"], rollout["actions"]
    old_log_probs, returns = rollout["log_probs"], rollout["returns"]
    advantages = rollout["advantages"]
    batch_size = len(obs)
    totals = torch.zeros(5)
    n_minibatches = 0
    stop = False
    for epoch in range(config.epochs):
        order = torch.randperm(batch_size, generator=generator)
        for start in range(0, batch_size, config.minibatch_size):
            idx = order[start : start + config.minibatch_size]
            logits, values = model(obs[idx])
            log_probs = F.log_softmax(logits, dim=-1)
            new = log_probs.gather(1, actions[idx][:, None])[:, 0]
            log_ratio = new - old_log_probs[idx]
            ratio = log_ratio.exp()
            adv = advantages[idx]
            if config.normalize_advantages:
                adv = (adv - adv.mean()) / (adv.std(unbiased=False) + 1e-8)

            clipped = ratio.clamp(1 - config.clip_epsilon, 1 + config.clip_epsilon)
            policy_loss = -torch.min(ratio * adv, clipped * adv).mean()
            value_loss = F.mse_loss(values, returns[idx])
            entropy = -(log_probs.exp() * log_probs).sum(dim=-1).mean()
            loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy

            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()

            with torch.no_grad():
                kl = ((ratio - 1) - log_ratio).mean()
                clip_fraction = ((ratio - 1).abs() > config.clip_epsilon).float().mean()
                totals += torch.stack([policy_loss, value_loss, entropy, kl, clip_fraction])
            n_minibatches += 1
            if config.target_kl is not None and kl > config.target_kl:
                stop = True
                break
        if stop:
            break
