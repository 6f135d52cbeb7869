"""Copies of networks, as the average and validation take them."""

import copy
from collections import deque
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

from sr.types import UserError


def copied(network: nn.Module) -> nn.Module:
    """A copy that shares nothing with the network, in evaluation mode and without gradients.

    Tensors that autograd has made are copied as values: PyTorch refuses to copy them, but networks keep them, such as
    the weight that ``torch.nn.utils.weight_norm`` computes, or an activation that is looked at later.

    Args:
        network: of any kind.

    Raises:
        UserError: the network holds something that cannot be copied.
    """
    memo: dict[int, Any] = {id(tensor): tensor.detach().clone() for tensor in _made_by_autograd(network, set())}
    try:
        return copy.deepcopy(network, memo).eval().requires_grad_(False)
    except (TypeError, RuntimeError) as error:
        name, reason = type(network).__name__, " ".join(str(error).split())
        raise UserError(
            f"{name} cannot be copied, as validation and the average need it ({reason}); keep what cannot be copied "
            "outside of the network, or give its class a __deepcopy__"
        ) from error


def _made_by_autograd(node: Any, seen: set[int]) -> Iterator[Tensor]:
    """The tensors with a history that copying ``node`` would come to."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, Tensor):
        if not node.is_leaf:
            yield node
        return
    for child in _inside(node):
        yield from _made_by_autograd(child, seen)


def _inside(node: Any) -> list[Any]:
    if isinstance(node, Mapping):
        return list(node.values())
    if isinstance(node, list | tuple | set | deque):
        return list(node)
    if isinstance(node, MethodType):
        return [node.__self__]
    by_reference = isinstance(node, type | FunctionType | ModuleType)
    return [] if by_reference else list(getattr(node, "__dict__", {}).values())
