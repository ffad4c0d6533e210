# Only bad actions are ever clipped in your version: a good action that has already become much more likely has no gradient either.
def has_gradient(ratio, advantages, clip_epsilon):
    clipped = (advantages < 0) & (ratio < 1 - clip_epsilon)
    return (advantages != 0) & ~clipped
