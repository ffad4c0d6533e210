# Your schedule counts in other units: it expects minibatch steps but is given updates, so at the end it has lost only 1/16 of its value.
def linear_schedule(update, n_updates, initial):
    minibatches_per_update = 16
    total_steps = n_updates * minibatches_per_update
    return initial * (1.0 - update / total_steps)
