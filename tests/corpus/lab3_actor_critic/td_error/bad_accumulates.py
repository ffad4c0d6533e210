# You sum the errors of all later steps: one step ahead was asked for.
def td_error(rewards, values, next_values, terminated, gamma):
    delta = rewards + gamma * next_values * (~terminated) - values
    running, out = 0.0, []
    for t in reversed(range(len(delta))):
        running = delta[t] + gamma * (~terminated[t]) * running
        out.insert(0, running)
    import torch

    return torch.stack(out)
