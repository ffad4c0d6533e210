# Style: Python's own sorted and a sum.


def interquartile_mean(x):
    numbers = sorted(x.tolist())
    k = len(numbers) // 4
    kept = numbers[k : len(numbers) - k]
    return sum(kept) / len(kept)
