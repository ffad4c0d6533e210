# It works for two actions only, by the logit of action 1 minus that of action 0.
import torch.nn.functional as F


def reinforce_loss(logits, actions, returns):
    z = (logits[:, 1] - logits[:, 0]) * (2 * actions - 1)
    return -(F.logsigmoid(z) * returns.detach()).mean()
