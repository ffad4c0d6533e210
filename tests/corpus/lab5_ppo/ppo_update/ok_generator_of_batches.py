# Style: one flat stream of minibatches over all epochs, so that a single break ends the update; running means.
import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F


def _all_minibatches(rollout, epochs, size, generator):
    for _ in range(epochs):
        order = torch.randperm(rollout["obs"].size(0), generator=generator)
        shuffled = {key: x.index_select(0, order) for key, x in rollout.items()}
        for start in range(0, order.numel(), size):
            yield {key: x[start : start + size] for key, x in shuffled.items()}


def ppo_update(model, optimizer, rollout, config, generator):
    means = dict(policy_loss=0.0, value_loss=0.0, entropy=0.0, approx_kl=0.0, clip_fraction=0.0)
    batches = _all_minibatches(rollout, config.epochs, config.minibatch_size, generator)
    for count, mb in enumerate(batches, start=1):
        logits, values = model(mb["obs"])
        log_p = logits - logits.logsumexp(dim=-1, keepdim=True)
        new = log_p[torch.arange(len(log_p)), mb["actions"]]
        log_ratio = new - mb["log_probs"]
        ratio = torch.exp(log_ratio)
        adv = mb["advantages"]
        if config.normalize_advantages and len(adv) > 1:
            adv = F.layer_norm(adv, adv.shape, eps=1e-8)
        with torch.no_grad():
            frozen = ((adv > 0) & (ratio > 1 + config.clip_epsilon)) | (
                (adv < 0) & (ratio < 1 - config.clip_epsilon)
            )
            edge = ratio.clamp(1 - config.clip_epsilon, 1 + config.clip_epsilon)
        policy_loss = -(torch.where(frozen, edge, ratio) * adv).mean()
        value_loss = F.mse_loss(values, mb["returns"])
        entropy = -(log_p.exp() * log_p).sum(dim=-1).mean()
        loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], config.max_grad_norm)
        optimizer.step()
        now = dict(
            policy_loss=policy_loss.item(),
            value_loss=value_loss.item(),
            entropy=entropy.item(),
            approx_kl=(ratio - 1 - log_ratio).mean().item(),
            clip_fraction=((ratio - 1).abs() > config.clip_epsilon).double().mean().item(),
        )
        for key in means:
            means[key] += (now[key] - means[key]) / count
        if config.target_kl is not None and now["approx_kl"] > config.target_kl:
            break
    return means
