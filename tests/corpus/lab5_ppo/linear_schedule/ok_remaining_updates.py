# Style: initial times the remaining updates, divided last.
def linear_schedule(update: int, n_updates: int, initial: float) -> float:
    """Linear from `initial` at update 0 to 0 at update n_updates."""
    remaining = n_updates - update
    return float(initial * remaining / n_updates)
