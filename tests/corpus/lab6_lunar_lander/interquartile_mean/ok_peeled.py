# Style: takes the smallest and the largest away, k times.
import statistics


def interquartile_mean(x):
    numbers = x.tolist()
    for _ in range(len(numbers) // 4):
        numbers.remove(min(numbers))
        numbers.remove(max(numbers))
    return statistics.fmean(numbers)
