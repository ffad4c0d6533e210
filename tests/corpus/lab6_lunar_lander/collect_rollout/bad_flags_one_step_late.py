# The flags are stored with the step after the one that ended the episode.
import torch


def collect_rollout(envs, model, obs, n_steps, generator):
    names = (
        "obs", "actions", "log_probs", "rewards", "terminated", "truncated", "values", "next_values"
    )
    columns = {name: [] for name in names}
    last = torch.zeros(2, envs.num_envs, dtype=torch.bool)
    for _ in range(n_steps):
        shown = torch.tensor(obs, dtype=torch.float32)
        with torch.no_grad():
            logits, values = model(shown)
            actions, log_probs = sample_actions(logits, generator)
            obs, rewards, terminated, truncated, infos = envs.step(actions.numpy())
            reached = true_next_obs(obs, infos, terminated | truncated)
            next_values = model(torch.tensor(reached))[1]
        columns["obs"].append(shown)
        columns["actions"].append(actions)
        columns["log_probs"].append(log_probs)
        columns["rewards"].append(torch.tensor(rewards, dtype=torch.float32))
        columns["terminated"].append(last[0])
        columns["truncated"].append(last[1])
        last = torch.tensor([terminated.tolist(), truncated.tolist()])
        columns["values"].append(values)
        columns["next_values"].append(next_values)
    return {name: torch.stack(column) for name, column in columns.items()}, obs
