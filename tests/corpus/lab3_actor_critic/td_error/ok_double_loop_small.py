import torch


def td_error(rewards, values, next_values, terminated, gamma):
    T = rewards.shape[0]
    rows = []
    for t in range(T):
        alive = (terminated[t] == 0).to(rewards.dtype)
        rows.append(rewards[t] - values[t] + gamma * alive * next_values[t])
    return torch.stack(rows)
