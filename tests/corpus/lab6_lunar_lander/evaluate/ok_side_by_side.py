# Style: all episodes side by side in a vector environment; what follows an episode's end is not counted.
import gymnasium as gym
import numpy as np
import torch


def evaluate(policy, env_id, seeds, deterministic):
    seeds = list(seeds)
    envs = gym.make_vec(env_id, num_envs=len(seeds), vectorization_mode="sync")
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    obs, _ = envs.reset(seed=seeds)
    returns, alive = np.zeros(len(seeds)), np.ones(len(seeds), dtype=bool)
    while alive.any():
        with torch.no_grad():
            out = policy(torch.tensor(obs))
        logits = out[0] if isinstance(out, tuple) else out
        if deterministic:
            actions = logits.argmax(dim=1)
        else:
            rows = zip(logits.softmax(dim=1), generators)
            actions = torch.cat([torch.multinomial(p, 1, generator=g) for p, g in rows])
        obs, rewards, terminated, truncated = envs.step(actions.numpy())[:4]
        returns += rewards * alive
        alive &= ~(terminated | truncated)
    envs.close()
    return torch.from_numpy(returns).float()
