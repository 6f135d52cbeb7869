"""Which scales a network can do, and how it climbs to them."""

from jaxtyping import Float
from torch import Tensor, nn

EVERY_SCALE = (1, 2, 3, 4, 8)
"""The scales of the field's test sets, and 1 for restoration at the same size."""


Upscaled = Float[Tensor, "batch channel {self.scale}*height {self.scale}*width"]
"""What a network's ``forward(self, lr: Image)`` returns: both sides of ``lr`` times its scale."""


def check_scale(network: nn.Module, scale: int, valid: tuple[int, ...]) -> int:
    """Return ``scale`` if ``network`` can do it.

    Raises:
        ValueError: ``scale`` is not among ``valid``; the message lists them.
    """
    if isinstance(scale, bool) or scale not in valid:
        choices = ", ".join(str(s) for s in valid)
        raise ValueError(f"{type(network).__name__} cannot upscale by {scale!r}; choose scale from {choices}.")
    return scale


def scale_of(network: nn.Module) -> int:
    """A generator's attribute ``scale``, which `nn.Module` does not declare."""
    return int(getattr(network, "scale"))  # noqa: B009


def doubling_stages(scale: int) -> tuple[int, ...]:
    """Factors of the upsampling stages whose product is ``scale``: as many 2s as possible.

    1 -> (), 2 -> (2,), 3 -> (3,), 4 -> (2, 2), 8 -> (2, 2, 2).
    """
    stages = []
    while scale % 2 == 0:
        stages.append(2)
        scale //= 2
    if scale > 1:
        stages.append(scale)
    return tuple(stages)
