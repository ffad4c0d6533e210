# Style: checks the KL before the step and leaves both loops by a flag; model.train(); zero_grad(set_to_none=False).
import torch
from torch import nn
from torch.distributions import Categorical


def ppo_update(model, optimizer, rollout, config, generator):
    model.train()
    history = {k: [] for k in ["policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction"]}
    stop = False
    for _ in range(config.epochs):
        for idx in torch.randperm(len(rollout["actions"]), generator=generator).split(config.minibatch_size):
            batch = {key: tensor[idx] for key, tensor in rollout.items()}
            logits, values = model(batch["obs"])
            pi = Categorical(logits=logits)
            log_ratio = pi.log_prob(batch["actions"]) - batch["log_probs"]
            ratio = log_ratio.exp()
            a = batch["advantages"]
            if config.normalize_advantages:
                a = a - a.mean()
                if a.numel() > 1:
                    a = a / (a.std() + 1e-8)
            clipped = torch.clip(ratio, 1 - config.clip_epsilon, 1 + config.clip_epsilon)
            policy_loss = -torch.minimum(ratio * a, clipped * a).mean()
            value_loss = nn.functional.mse_loss(values, batch["returns"])
            entropy = pi.entropy().mean()
            kl = (ratio - 1 - log_ratio).mean()
            history["policy_loss"].append(policy_loss.item())
            history["value_loss"].append(value_loss.item())
            history["entropy"].append(entropy.item())
            history["approx_kl"].append(kl.item())
            history["clip_fraction"].append(((ratio - 1).abs() > config.clip_epsilon).float().mean().item())
            if config.target_kl is not None and kl.item() > config.target_kl:
                stop = True
                break
            optimizer.zero_grad(set_to_none=False)
            loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=config.max_grad_norm)
            optimizer.step()
        if stop:
            break
    return {k: sum(v) / len(v) for k, v in history.items()}
