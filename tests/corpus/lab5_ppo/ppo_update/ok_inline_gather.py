# Style: everything inline, log_softmax and gather, population standard deviation, stops after an epoch by the mean KL of that epoch.
import numpy as np
import torch


def ppo_update(model, optimizer, rollout, config, generator):
    obs, actions = rollout["obs"], rollout["actions"]
    batch_size = obs.shape[0]
    eps = config.clip_epsilon
    log = []
    for epoch in range(config.epochs):
        order = torch.randperm(batch_size, generator=generator)
        kls = []
        for start in range(0, batch_size, config.minibatch_size):
            mb = order[start : start + config.minibatch_size]
            logits, v = model(obs[mb])
            logp_all = torch.log_softmax(logits, dim=-1)
            logp = logp_all.gather(1, actions[mb].unsqueeze(1)).squeeze(1)
            log_ratio = logp - rollout["log_probs"][mb]
            ratio = log_ratio.exp()
            adv = rollout["advantages"][mb]
            if config.normalize_advantages:
                adv = (adv - adv.mean()) / (adv.std(unbiased=False) + 1e-8)
            pg = torch.max(-adv * ratio, -adv * ratio.clamp(1 - eps, 1 + eps)).mean()
            vf = ((v - rollout["returns"][mb]) ** 2).mean()
            ent = -(logp_all.exp() * logp_all).sum(-1).mean()
            optimizer.zero_grad(set_to_none=True)
            (pg + config.value_coef * vf - config.entropy_coef * ent).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            kl = ((ratio - 1) - log_ratio).mean().item()
            kls.append(kl)
            fraction = ((ratio - 1.0).abs() > eps).float().mean().item()
            log.append((pg.item(), vf.item(), ent.item(), kl, fraction))
        if config.target_kl is not None and np.mean(kls) > config.target_kl:
            break
    names = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")
    return {name: float(mean) for name, mean in zip(names, np.mean(log, axis=0))}
