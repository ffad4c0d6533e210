# Style: a NumPy generator that is seeded by a draw from torch's, one action after the other.
import numpy as np
import torch


def collect_rollout(envs, model, obs, n_steps, generator):
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    steps = []
    for _ in range(n_steps):
        before = torch.from_numpy(obs.copy())
        with torch.no_grad():
            logits, values = model(before)
            log_pi = torch.log_softmax(logits, dim=-1)
        p = log_pi.double().exp().numpy()
        actions = np.array([rng.choice(len(row), p=row / row.sum()) for row in p])
        obs, rewards, terminated, truncated, infos = envs.step(actions)
        with torch.no_grad():
            after = model(torch.from_numpy(true_next_obs(obs, infos, terminated | truncated)))[1]
        steps.append(
            {
                "obs": before,
                "actions": torch.from_numpy(actions),
                "log_probs": log_pi[range(len(actions)), actions],
                "rewards": torch.from_numpy(rewards).float(),
                "terminated": torch.from_numpy(terminated),
                "truncated": torch.from_numpy(truncated),
                "values": values,
                "next_values": after,
            }
        )
    return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}, obs
