import torch
from torch.distributions import Categorical


def a2c_loss(logits, actions, values, advantages, returns, value_coef, entropy_coef):
    dist = Categorical(logits=logits)
    pg = (-dist.log_prob(actions) * advantages.detach()).mean()
    vf = torch.nn.functional.mse_loss(values, returns.detach())
    ent = dist.entropy().mean()
    stats = dict(policy_loss=float(pg), value_loss=float(vf), entropy=float(ent))
    return pg + vf * value_coef - ent * entropy_coef, stats
