# You stop a sample as soon as it has moved at all in the favorable direction: inside the band it still has its gradient.
def has_gradient(ratio, advantages, clip_epsilon):
    good = (advantages > 0) & (ratio <= 1)
    bad = (advantages < 0) & (ratio >= 1)
    return good | bad
