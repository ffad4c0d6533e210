import warnings


def monte_carlo_advantages(returns, values):
    print("shapes", returns.shape, values.shape)
    warnings.warn("just a warning")
    baseline = values.clone().detach().requires_grad_(False)
    return -baseline + returns
