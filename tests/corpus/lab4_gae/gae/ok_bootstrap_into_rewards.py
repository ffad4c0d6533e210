# Style: the value beyond a time limit is added to the reward, as Stable-Baselines3 does; both kinds of end then look the same.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    with torch.no_grad():
        only_time = truncated & ~terminated
        r = rewards + gamma * next_values * only_time
        more = (~(terminated | truncated)).to(rewards.dtype)
        adv = torch.empty_like(r)
        last = torch.zeros(r.shape[1], dtype=r.dtype)
        for t in range(len(r))[::-1]:
            delta = r[t] + gamma * next_values[t] * more[t] - values[t]
            last = delta + gamma * lam * more[t] * last
            adv[t] = last
        return adv, adv + values
