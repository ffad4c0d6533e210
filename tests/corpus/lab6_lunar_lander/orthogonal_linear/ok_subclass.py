# Style: a subclass of nn.Linear that resets itself differently.
from torch import nn


class Orthogonal(nn.Linear):
    gain = 1.0

    def reset_parameters(self):
        nn.init.orthogonal_(self.weight, self.gain)
        nn.init.zeros_(self.bias)


def orthogonal_linear(n_in, n_out, gain):
    layer = Orthogonal(n_in, n_out)
    layer.gain = gain
    layer.reset_parameters()
    return layer
