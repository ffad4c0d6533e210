# Style: uniform numbers against cumulative probabilities; the observations that come back are a copy.
import numpy as np
import torch


def collect_rollout(envs, model, obs, n_steps, generator):
    parameters = list(model.parameters())
    rollout = {}

    def add(name, value):
        rollout.setdefault(name, []).append(value.detach())

    obs = np.array(obs)
    for _ in range(n_steps):
        x = torch.from_numpy(obs)
        logits, values = model(x)
        log_pi = logits.log_softmax(dim=-1)
        u = torch.rand(len(x), 1, generator=generator)
        actions = (log_pi.exp().cumsum(dim=-1) < u).sum(dim=-1).clamp(max=logits.shape[-1] - 1)
        add("obs", x)
        add("values", values)
        add("actions", actions)
        add("log_probs", log_pi.gather(-1, actions[:, None])[:, 0])
        stepped, rewards, terminated, truncated, infos = envs.step(actions.tolist())
        obs = np.array(stepped)
        add("rewards", torch.tensor(rewards).to(parameters[0].dtype))
        add("terminated", torch.tensor(terminated))
        add("truncated", torch.tensor(truncated))
        final = [f if f is not None else o for f, o in zip(infos.get("final_obs", obs), obs)]
        add("next_values", model(torch.tensor(np.array(final)))[1])
    return {name: torch.stack(values) for name, values in rollout.items()}, obs
