# Style: gymnasium.make for each seed, Categorical under a forked global stream, a list of floats.
import gymnasium as gym
import torch
from torch.distributions import Categorical


def evaluate(policy, env_id, seeds, deterministic):
    def play(seed):
        env = gym.make(env_id)
        state, info = env.reset(seed=seed)
        score = 0.0
        while True:
            output = policy(torch.as_tensor(state, dtype=torch.float32)[None])
            logits = output if torch.is_tensor(output) else output[0]
            action = int(logits.argmax()) if deterministic else Categorical(logits=logits).sample().item()
            state, reward, terminated, truncated, info = env.step(action)
            score += reward
            if terminated or truncated:
                env.close()
                return score

    results = []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            results.append(play(seed))
    return results
