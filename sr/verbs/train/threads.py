"""How PyTorch's threads wait for each other on a CPU that others use too."""

import os

import psutil

_BUSY = 25.0
"""Per cent of all cores that other programs take, from which on waiting threads should sleep."""


def wait_passively_if_busy() -> str | None:
    """Let waiting threads sleep when this machine is busy; call it before torch is imported.

    On an idle CPU threads that spin while they wait make a training step about a fifth faster. Beside another
    busy program they hold the core that the awaited thread needs, and a step takes many times longer.

    Returns:
        One line for the user where something was changed, else None.
    """
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        return None
    busy = psutil.cpu_percent(interval=0.3)
    if busy < _BUSY:
        return None
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    return (
        f"other programs use {busy:.0f} % of the CPU, so threads sleep while they wait; "
        "OMP_WAIT_POLICY=ACTIVE would let them spin"
    )
