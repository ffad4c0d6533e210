# Style: probabilities to NumPy, choice with a generator from the seed, an array of float64.
import numpy as np
import torch

from course_utils.environments import make_env


def evaluate(policy, env_id, seeds, deterministic):
    returns = np.zeros(len(seeds))
    for i, seed in enumerate(seeds):
        env, rng = make_env(env_id), np.random.default_rng(seed)
        obs = env.reset(seed=int(seed))[0]
        done = False
        while not done:
            out = policy(torch.from_numpy(np.asarray([obs], dtype=np.float32)))
            logits = (out[0] if isinstance(out, (tuple, list)) else out).detach().numpy()[0]
            if deterministic:
                action = np.argmax(logits)
            else:
                p = np.exp(logits.astype(np.float64) - logits.max())
                action = rng.choice(len(p), p=p / p.sum())
            obs, reward, term, trunc, _ = env.step(int(action))
            returns[i] += reward
            done = term or trunc
        env.close()
    return returns
