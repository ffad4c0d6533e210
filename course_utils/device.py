"""Which device PyTorch should use for the course's networks, with the reason said aloud."""

from __future__ import annotations

import torch

_PREFERENCES = ("cpu", "auto", "cuda", "mps")


def found_accelerator() -> tuple[str, str] | None:
    """(PyTorch device type, readable name) of this machine's accelerator, or None."""
    if torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name(0)
    if torch.backends.mps.is_available():
        return "mps", "Apple GPU (MPS)"
    return None


def use_one_thread() -> None:
    """Let PyTorch compute on one CPU thread.

    On networks this small a second thread costs more to wake than it computes, and results
    repeat bit for bit only for a fixed number of threads.
    """
    torch.set_num_threads(1)


def choose_device(prefer: str = "cpu", verbose: bool = True) -> torch.device:
    """Choose a device, print what was found and why it was chosen.

    Args:
        prefer: "cpu" (right for every network of labs 1 to 7), "auto" (an accelerator if there
            is one), "cuda" or "mps".
        verbose: print the two lines.

    Returns:
        The device. Where it is the CPU, PyTorch is also set to one thread.

    Raises:
        ValueError: ``prefer`` is none of the above.
    """
    if prefer not in _PREFERENCES:
        raise ValueError(f"prefer must be one of {', '.join(_PREFERENCES)}; got {prefer!r}")
    found = found_accelerator()
    wanted = found is not None and prefer in ("auto", found[0])
    device = torch.device(found[0] if wanted else "cpu")
    if device.type == "cpu":
        use_one_thread()
    if verbose:
        print(f"Found: {found[1] if found else 'no GPU that PyTorch can use'}, and the CPU.")
        print(f"Using: {_reason(device, prefer, found)}")
    return device


def _reason(device: torch.device, prefer: str, found: tuple[str, str] | None) -> str:
    if device.type != "cpu":
        return f"{device.type}, as asked. For a network of a few thousand weights expect it slower."
    if prefer in ("cuda", "mps"):
        return f"the CPU with one thread: {prefer} was asked for, but it is not there."
    if found is None:
        return "the CPU with one thread, the fastest choice for networks as small as ours anyway."
    return (
        "the CPU with one thread. Our networks have a few thousand weights: starting a "
        "computation on the GPU takes longer than doing it on the CPU."
    )
