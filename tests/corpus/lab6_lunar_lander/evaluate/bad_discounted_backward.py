# Early rewards are discounted, as if the end were the present.
import torch

from course_utils.environments import make_env


def evaluate(policy, env_id, seeds, deterministic):
    env = make_env(env_id)
    returns = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        obs, _ = env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            with torch.no_grad():
                output = policy(torch.tensor(obs).unsqueeze(0))
            logits = output[0] if isinstance(output, tuple) else output
            if deterministic:
                action = logits.argmax(dim=-1)
            else:
                action, _ = sample_actions(logits, generator)
            obs, reward, terminated, truncated, _ = env.step(action.item())
            total = 0.99 * total + reward
            over = terminated or truncated
        returns.append(total)
    return torch.tensor(returns)
