# You divide by N in one variance and by N - 1 in the other.
def explained_variance(predicted, target):
    of_target = torch.var(target, correction=0)
    if of_target == 0:
        return float("nan")
    return (1 - torch.var(target - predicted) / of_target).item()
