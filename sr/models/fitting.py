"""Whether weights fit a network, and what to say where they do not."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from sr.printable import printable

NAMED_KEYS = 3  # how many offending weights an error message names


def differences(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    """What keeps ``tensors`` from being a network's state: a text per kind with the first few names; empty where none.

    Args:
        expected: the network's own state.
        tensors: given ones.
    """
    missing = [name for name in expected if name not in tensors]
    unexpected = [name for name in tensors if name not in expected]
    both = [(name, tensors[name], value) for name, value in expected.items() if name in tensors]
    misshaped = [
        f"{name} {list(given.shape)} instead of {list(value.shape)}"
        for name, given, value in both
        if given.shape != value.shape
    ]
    mistyped = [
        f"{name} {printable(given.dtype)} instead of {value.dtype}"
        for name, given, value in both
        if given.shape == value.shape and not fits(given, value)
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("mis-shaped", misshaped), ("mistyped", mistyped))
    return [f"{len(names)} {kind} ({few_names(names)})" for kind, names in kinds if names]


def fits(given: Tensor, expected: Tensor) -> bool:
    """Whether a tensor can take another's place: PyTorch would copy whole, complex and true numbers into real ones."""
    return given.shape == expected.shape and given.is_floating_point() == expected.is_floating_point()


def few_names(names: Iterable[str]) -> str:
    """The first few names, and a sign that there are more."""
    names = [printable(name)[:80] for name in names]
    return ", ".join(names[:NAMED_KEYS]) + (", ..." if len(names) > NAMED_KEYS else "")
