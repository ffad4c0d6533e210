# You normalize the targets first: the critic then learns something else than returns.
def value_loss(values, targets):
    t = targets.detach()
    t = (t - t.mean()) / (t.std(correction=0) + 1e-8)
    return ((values - t) ** 2).mean()
