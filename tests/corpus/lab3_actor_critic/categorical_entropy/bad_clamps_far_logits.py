# You clamp the logits to [-10, 10]: for ordinary ones nothing changes, for extreme ones the policy becomes another one.
def categorical_entropy(logits):
    log_p = logits.clamp(-10, 10).log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)
