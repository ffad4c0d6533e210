# The gain multiplies the output in forward, so the weight itself has factor 1 and the bias is scaled too.
from torch import nn


class Scaled(nn.Linear):
    def forward(self, x):
        return self.gain * super().forward(x)


def orthogonal_linear(n_in, n_out, gain):
    layer = Scaled(n_in, n_out)
    layer.gain = gain
    nn.init.orthogonal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
