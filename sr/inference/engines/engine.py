"""What computes a network: PyTorch or another program."""

from typing import Literal, Protocol

from torch import Tensor

Kind = Literal["auto", "torch", "onnxruntime", "openvino"]
RIVALS: tuple[Kind, ...] = ("torch", "onnxruntime", "openvino")
"""What "auto" chooses from; the names of engines begin with these, in any case."""

Precision = Literal["auto", "32", "bf16", "16"]


class Engine(Protocol):
    """A network at work.

    Attributes:
        name: of the program that computes, with what matters of how: ``onnxruntime``, ``torch, bf16``.
        scale: of the network.
    """

    name: str
    scale: int

    def __call__(self, lr: Tensor) -> Tensor:
        """Enlarge (n, 3, h, w) float32 in [0, 1] to (n, 3, scale*h, scale*w) float32, not clipped, on any device."""
        ...
