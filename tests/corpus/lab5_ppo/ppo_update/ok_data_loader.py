# Style: a TensorDataset with a DataLoader that shuffles by the generator; for/else around the early stop.
import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def ppo_update(model, optimizer, rollout, config, generator):
    keys = ("obs", "actions", "log_probs", "advantages", "returns")
    data = TensorDataset(*(rollout[key] for key in keys))
    loader = DataLoader(data, batch_size=config.minibatch_size, shuffle=True, generator=generator)
    rows = []
    for _ in range(config.epochs):
        for obs, actions, old_log_probs, advantages, returns in loader:
            logits, values = model(obs)
            dist = Categorical(logits=logits)
            log_probs = dist.log_prob(actions)
            if config.normalize_advantages and advantages.shape[0] > 1:
                variance, mean = torch.var_mean(advantages)
                advantages = (advantages - mean) / torch.sqrt(variance + 1e-8)
            ratio = torch.exp(log_probs - old_log_probs)
            bound = torch.where(advantages > 0, 1 + config.clip_epsilon, 1 - config.clip_epsilon)
            policy_loss = -torch.min(ratio * advantages, bound * advantages).mean()
            value_loss = F.mse_loss(values, returns)
            entropy = dist.entropy().mean()
            optimizer.zero_grad()
            (policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy).backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            with torch.no_grad():
                kl = torch.mean(torch.expm1(log_probs - old_log_probs) - (log_probs - old_log_probs))
                outside = torch.logical_or(ratio > 1 + config.clip_epsilon, ratio < 1 - config.clip_epsilon)
            rows.append(torch.stack([policy_loss, value_loss, entropy, kl, outside.float().mean()]).detach())
            if config.target_kl is not None and kl > config.target_kl:
                break
        else:
            continue
        break
    means = torch.stack(rows).mean(dim=0).tolist()
    return dict(zip(["policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction"], means))
