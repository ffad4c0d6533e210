# Style: a decorator against gradients, masks as floats, append and flip.
import torch


@torch.no_grad()
def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    not_terminated = 1.0 - terminated.float()
    not_done = 1.0 - torch.maximum(terminated.float(), truncated.float())
    rows, a = [], 0.0
    for r, v, v_next, alive, more in zip(
        rewards.flip(0), values.flip(0), next_values.flip(0), not_terminated.flip(0), not_done.flip(0)
    ):
        a = r + gamma * v_next * alive - v + gamma * lam * more * a
        rows.append(a)
    advantages = torch.stack(rows).flip(0)
    return (advantages, values + advantages)
