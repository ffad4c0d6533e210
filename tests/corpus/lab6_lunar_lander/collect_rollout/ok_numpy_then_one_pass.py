# Style: NumPy arrays while playing; all values in one forward pass afterwards.
import numpy as np
import torch


def collect_rollout(envs, model, obs, n_steps, generator):
    shape = (n_steps, envs.num_envs)
    seen = np.empty((*shape, obs.shape[1]), np.float32)
    reached = np.empty_like(seen)
    actions = np.empty(shape, np.int64)
    rewards = np.empty(shape, np.float32)
    terminated, truncated = np.zeros(shape, bool), np.zeros(shape, bool)
    current = obs
    with torch.no_grad():
        for t in range(n_steps):
            seen[t] = current
            logits = model(torch.from_numpy(seen[t]))[0]
            probabilities = torch.softmax(logits, dim=1)
            actions[t] = torch.multinomial(probabilities, 1, generator=generator)[:, 0].numpy()
            current, rewards[t], terminated[t], truncated[t], infos = envs.step(actions[t])
            reached[t] = current
            ended = np.nonzero(terminated[t] | truncated[t])[0]
            for n in ended:
                reached[t, n] = infos["final_obs"][n]
        logits, values = model(torch.from_numpy(seen))
        next_values = model(torch.from_numpy(reached))[1]
        taken = torch.from_numpy(actions)
        log_probs = torch.distributions.Categorical(logits=logits).log_prob(taken)
    return {
        "obs": torch.from_numpy(seen),
        "actions": taken,
        "log_probs": log_probs,
        "rewards": torch.from_numpy(rewards),
        "terminated": torch.from_numpy(terminated),
        "truncated": torch.from_numpy(truncated),
        "values": values,
        "next_values": next_values,
    }, current
