# All episodes are stopped when the first one ends.
import gymnasium as gym
import torch


def evaluate(policy, env_id, seeds, deterministic):
    envs = gym.make_vec(env_id, num_envs=len(seeds), vectorization_mode="sync")
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    obs, _ = envs.reset(seed=list(seeds))
    returns, over = torch.zeros(len(seeds)), False
    while not over:
        with torch.no_grad():
            output = policy(torch.tensor(obs))
        logits = output[0] if isinstance(output, tuple) else output
        if deterministic:
            actions = logits.argmax(dim=1)
        else:
            rows = zip(logits, generators)
            actions = torch.cat([sample_actions(row[None], g)[0] for row, g in rows])
        obs, rewards, terminated, truncated = envs.step(actions.numpy())[:4]
        returns += torch.tensor(rewards).float()
        over = (terminated | truncated).any()
    return returns
