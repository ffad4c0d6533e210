# Style: 0-d tensors in a list, observation without a batch dimension, unwrapped names.
import torch

from course_utils.environments import make_env


@torch.no_grad()
def evaluate(policy, env_id, seeds, deterministic):
    scores = {}
    env = make_env(env_id)
    for seed in seeds:
        g = torch.Generator()
        g.manual_seed(seed)
        x, _ = env.reset(seed=seed)
        ret = torch.zeros(())
        term = trunc = False
        while not (term or trunc):
            out = policy(torch.from_numpy(x))
            logits = out[0] if isinstance(out, tuple) else out
            p = torch.softmax(logits, -1)
            a = p.argmax() if deterministic else torch.multinomial(p, 1, generator=g)
            x, r, term, trunc, _ = env.step(int(a))
            ret = ret + r
        scores[seed] = ret
    env.close()
    return list(scores.values())
