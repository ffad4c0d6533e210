# Style: F.cross_entropy for the log-probs, a list of indices, gradients set to None and clipped by hand.
import torch
from torch.nn import functional as F


def ppo_update(model, optimizer, rollout, config, generator):
    def log_probs_of(logits, actions):
        return -F.cross_entropy(logits, actions, reduction="none")

    n = rollout["actions"].numel()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    totals, done, epoch, finished = [0.0] * 5, 0, 0, False
    while epoch < config.epochs and not finished:
        shuffled = torch.randperm(n, generator=generator).tolist()
        while shuffled and not finished:
            now, shuffled = shuffled[: config.minibatch_size], shuffled[config.minibatch_size :]
            logits, values = model(rollout["obs"][now])
            new = log_probs_of(logits, rollout["actions"][now])
            old = rollout["log_probs"][now]
            adv = rollout["advantages"][now].clone()
            if config.normalize_advantages:
                adv -= adv.mean()
                adv /= torch.sqrt((adv**2).mean() + 1e-8)
            ratio = torch.exp(new - old)
            low, high = 1 - config.clip_epsilon, 1 + config.clip_epsilon
            policy_loss = -torch.stack([ratio * adv, ratio.clamp(low, high) * adv]).min(dim=0).values.mean()
            value_loss = F.mse_loss(values, rollout["returns"][now])
            entropy = (F.softmax(logits, -1) * -F.log_softmax(logits, -1)).sum(-1).mean()
            for p in parameters:
                p.grad = None
            loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy
            loss.backward()
            with torch.no_grad():
                norm = torch.sqrt(sum((p.grad**2).sum() for p in parameters if p.grad is not None))
                if norm > config.max_grad_norm:
                    for p in parameters:
                        if p.grad is not None:
                            p.grad *= config.max_grad_norm / norm
            optimizer.step()
            kl = float(((ratio - 1) - (new - old)).detach().mean())
            share = sum(abs(r - 1) > config.clip_epsilon for r in ratio.tolist()) / len(now)
            for k, x in enumerate([policy_loss.item(), value_loss.item(), entropy.item(), kl, share]):
                totals[k] += x
            done += 1
            finished = config.target_kl is not None and kl > config.target_kl
        epoch += 1
    return {
        "policy_loss": totals[0] / done,
        "value_loss": totals[1] / done,
        "entropy": totals[2] / done,
        "approx_kl": totals[3] / done,
        "clip_fraction": totals[4] / done,
    }
