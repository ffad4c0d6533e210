# Numbers outside the middle half are pulled to its edges instead of left out.


def interquartile_mean(x):
    k = len(x) // 4
    ordered = x.sort().values
    return x.clamp(ordered[k], ordered[len(x) - 1 - k]).mean().item()
