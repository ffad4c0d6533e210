# It goes on from the final observation of an episode that is over.
import torch


def collect_rollout(envs, model, obs, n_steps, generator):
    names = (
        "obs", "actions", "log_probs", "rewards", "terminated", "truncated", "values", "next_values"
    )
    columns = {name: [] for name in names}
    for _ in range(n_steps):
        shown = torch.tensor(obs, dtype=torch.float32)
        with torch.no_grad():
            logits, values = model(shown)
            actions, log_probs = sample_actions(logits, generator)
            obs, rewards, terminated, truncated, infos = envs.step(actions.numpy())
            reached = true_next_obs(obs, infos, terminated | truncated)
            next_values = model(torch.tensor(reached))[1]
        obs = reached
        columns["obs"].append(shown)
        columns["actions"].append(actions)
        columns["log_probs"].append(log_probs)
        columns["rewards"].append(torch.tensor(rewards, dtype=torch.float32))
        columns["terminated"].append(torch.tensor(terminated))
        columns["truncated"].append(torch.tensor(truncated))
        columns["values"].append(values)
        columns["next_values"].append(next_values)
    return {name: torch.stack(column) for name, column in columns.items()}, obs
