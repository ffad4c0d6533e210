# Only samples that moved the wrong way out of the band are counted: those inside the band have a gradient, too.
def has_gradient(ratio, advantages, clip_epsilon):
    good = (advantages > 0) & (ratio < 1 - clip_epsilon)
    bad = (advantages < 0) & (ratio > 1 + clip_epsilon)
    return good | bad
