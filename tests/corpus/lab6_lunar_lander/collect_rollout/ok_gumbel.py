# Style: Gumbel noise drawn for the whole rollout; values of the next row, mended where an episode ended.
import torch


def collect_rollout(envs, model, obs, n_steps, generator):
    count = int(envs.single_action_space.n)
    noise = torch.rand(n_steps, envs.num_envs, count, generator=generator).clamp_min(1e-12)
    gumbel = -torch.log(-torch.log(noise))
    rows = []
    with torch.no_grad():
        state = torch.as_tensor(obs).clone()
        logits, values = model(state)
        for t in range(n_steps):
            action = (logits + gumbel[t]).argmax(dim=-1)
            log_prob = logits.log_softmax(-1)[torch.arange(len(action)), action]
            obs, reward, terminated, truncated, infos = envs.step(action.numpy())
            following = torch.as_tensor(obs).clone()
            next_logits, next_values = model(following)
            after = next_values.clone()
            for n in range(envs.num_envs):
                if terminated[n] or truncated[n]:
                    after[n] = model(torch.as_tensor(infos["final_obs"][n]).unsqueeze(0))[1][0]
            flags = torch.as_tensor(terminated).clone(), torch.as_tensor(truncated).clone()
            reward = torch.as_tensor(reward).float()
            rows.append((state, action, log_prob, reward, *flags, values, after))
            state, logits, values = following, next_logits, next_values
    names = "obs actions log_probs rewards terminated truncated values next_values".split()
    return dict(zip(names, map(torch.stack, zip(*rows)))), obs
