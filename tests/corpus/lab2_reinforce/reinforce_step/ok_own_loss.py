# Style: the loss written out once more, NumPy numbers in the dict, an extra entry, a print.
import numpy as np
import torch
from torch.distributions import Categorical


def reinforce_step(policy, optimizer, obs, actions, returns):
    dist = Categorical(logits=policy(obs))
    loss = -(dist.log_prob(actions) * returns).mean()
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    flat = np.concatenate([p.grad.numpy().ravel() for p in policy.parameters()])
    optimizer.step()
    print("one step")
    return {"loss": np.float32(loss.item()), "grad_norm": np.linalg.norm(flat), "size": len(obs)}
