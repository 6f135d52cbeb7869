"""Growth of a network to twice its scale: one stage more before the convolution to RGB, everything else carried.

The internship of 2019 trained x2, put a stage between it and its last convolution, and trained x4 from there. Networks
whose upsampling is such a chain of stages declare it by a method ``grown_name(name)``: the name that a tensor of the
network of half the scale has in this one. What no name leads to is the new stage.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from sr.models.fitting import differences
from sr.models.scales import scale_of

GROWN_SCALES = (4, 8)
"""A network grows from half of each."""


@runtime_checkable
class Growing(Protocol):
    """A network with stages before its last layers."""

    def grown_name(self, name: str) -> str:
        """The name here of a tensor of this network at half the scale.

        Raises:
            ValueError: with these arguments or at this scale it has no stage to add.
        """
        ...


class Carried(NamedTuple):
    """What a grown network has.

    Attributes:
        tensors: of the network of half the scale, by the names of this one.
        new: names of the tensors of the new stage.
    """

    tensors: dict[str, Tensor]
    new: list[str]


def why_not(network: nn.Module) -> str | None:
    """Why a network cannot be grown from one of half its scale; None where it can."""
    if not isinstance(network, Growing):
        return f"{type(network).__name__} has no chain of stages"
    try:
        network.grown_name("")
    except ValueError as error:
        return str(error)
    return None


def carried(network: nn.Module, half: nn.Module, tensors: Mapping[str, Tensor]) -> Carried:
    """The tensors that a network takes over from one of half its scale.

    Args:
        network: for which `why_not` has nothing to say; it stays as it is.
        half: the same network at half the scale, for its names and shapes: it may lie on the meta device.
        tensors: of the trained one.

    Raises:
        ValueError: the tensors are not those of ``half``, or do not fit into ``network``.
    """
    assert isinstance(network, Growing)
    faults = differences(half.state_dict(), tensors)
    if faults:
        raise ValueError(f"does not fit {type(half).__name__} at x{scale_of(half)}: {'; '.join(faults)}")
    expected = network.state_dict()
    found = {network.grown_name(name): tensor for name, tensor in tensors.items()}
    faults = differences({name: value for name, value in expected.items() if name in found}, found)
    if faults:
        raise ValueError(f"does not fit into {type(network).__name__} at x{scale_of(network)}: {'; '.join(faults)}")
    ordered = {name: found[name] for name in expected if name in found}
    return Carried(ordered, [name for name in expected if name not in found])


def patterns(names: Iterable[str], others: Collection[str]) -> list[str]:
    """The shortest patterns (``blocks.*``) that match all names and none of the others, in the order of the names.

    `parts.freeze` takes the like.

    Args:
        names: dotted names of tensors.
        others: names that no pattern may match.
    """
    return list(dict.fromkeys(_pattern(name, others) for name in names))


def _pattern(name: str, others: Collection[str]) -> str:
    parts = name.split(".")
    beginnings = (".".join(parts[:count]) + "." for count in range(1, len(parts)))
    alone = (start for start in beginnings if not any(other.startswith(start) for other in others))
    return next((f"{start}*" for start in alone), name)
