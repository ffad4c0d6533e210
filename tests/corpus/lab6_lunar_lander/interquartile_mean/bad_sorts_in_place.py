# It sorts the numbers in place, in the caller's own tensor.


def interquartile_mean(x):
    numbers = x.numpy()
    numbers.sort()
    k = len(numbers) // 4
    return float(numbers[k : len(numbers) - k].mean())
