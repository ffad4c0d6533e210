from torch.distributions import Categorical


def categorical_entropy(logits):
    return Categorical(logits=logits).entropy()
