# Style: tensors made beforehand, written row by row under no_grad.
import torch


@torch.no_grad()
def collect_rollout(envs, model, obs, n_steps, generator):
    n = envs.num_envs
    o = envs.single_observation_space.shape[0]
    rollout = {
        "obs": torch.zeros(n_steps, n, o),
        "actions": torch.zeros(n_steps, n, dtype=torch.int64),
        **{k: torch.zeros(n_steps, n) for k in ("log_probs", "rewards", "values", "next_values")},
        **{k: torch.zeros(n_steps, n, dtype=torch.bool) for k in ("terminated", "truncated")},
    }
    for t in range(n_steps):
        rollout["obs"][t] = torch.from_numpy(obs)
        logits, rollout["values"][t] = model(rollout["obs"][t])
        log_pi = logits - logits.logsumexp(dim=-1, keepdim=True)
        picked = torch.multinomial(log_pi.exp(), 1, generator=generator)
        rollout["actions"][t] = picked[:, 0]
        rollout["log_probs"][t] = log_pi.gather(1, picked)[:, 0]
        obs, reward, term, trunc, infos = envs.step(picked[:, 0].numpy())
        rollout["rewards"][t] = torch.from_numpy(reward)
        rollout["terminated"][t] = torch.from_numpy(term)
        rollout["truncated"][t] = torch.from_numpy(trunc)
        final = torch.as_tensor(obs).clone()
        for i in range(n):
            if term[i] or trunc[i]:
                final[i] = torch.as_tensor(infos["final_obs"][i])
        rollout["next_values"][t] = model(final)[1]
    return rollout, obs
