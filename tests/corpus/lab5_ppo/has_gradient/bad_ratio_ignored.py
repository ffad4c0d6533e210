# Only the advantages decide in your version: the ratio and epsilon have no effect, so no sample is ever clipped.
def has_gradient(ratio, advantages, clip_epsilon):
    return advantages != 0
