# Style: Gumbel noise; a generator function gives the rewards of one episode.
import torch

from course_utils.environments import make_env


def evaluate(policy, env_id, seeds, deterministic):
    def rewards_of(seed):
        env = make_env(env_id)
        noise = torch.Generator().manual_seed(1000003 * seed + 1)
        obs, _ = env.reset(seed=seed)
        over = False
        while not over:
            with torch.inference_mode():
                answer = policy(torch.as_tensor(obs).reshape(1, -1))
                scores = answer[0] if type(answer) is tuple else answer
                if not deterministic:
                    u = torch.rand(scores.shape, generator=noise).clamp_min(1e-12)
                    scores = scores - torch.log(-torch.log(u))
                action = scores.argmax(dim=-1).item()
            obs, reward, *ends, _ = env.step(action)
            over = any(ends)
            yield reward

    return [sum(rewards_of(seed)) for seed in seeds]
