"""A GPU that is not there: PyTorch's fake tensors, which have shapes, types and devices but no values.

What would go wrong on a GPU goes wrong here: a tensor of the CPU that meets one of the GPU, and a value that is read
from the GPU (`float(x)`, `x.tolist()`, `x[mask]`, `x.nonzero()`, `x.cpu()`), for which the training would wait. What
travels to the GPU and what is launched there is counted. The backward pass of autograd does not run without a GPU: its
gradients are stood in for, and its launches estimated by the nodes of the graph.
"""

import os
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

optimizers = import_module("torch.optim.optimizer")  # torch.optim has no attribute of this name

GPU = torch.device("cuda", 0)

_VIEWS = ("view", "reshape", "expand", "permute", "transpose", "slice", "select", "unsqueeze", "squeeze", "detach", "t")
"""Beginnings of the names of what launches nothing."""
_FREE = (
    "alias",
    "as_strided",
    "unbind",
    "split",
    "chunk",
    "empty",
    "lift_fresh",
    "unfold",
    "diagonal",
    "sym_",
)


class HostRead(AssertionError):
    """A value was read from the GPU inside a step."""


class Watch(TorchDispatchMode):
    """Counts launches and transfers, and refuses reads.

    Attributes:
        counts: ``launches`` on the GPU; ``pinned`` copies to it, for which nothing waits; ``pageable`` ones, which are
            copied to a pinned buffer first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.pageable: Counter[str] = Counter()
        self._pinned: dict[int, Tensor] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        if name == "_pin_memory":
            made = args[0].clone()
            self._pinned[_memory(made)] = made  # kept, so that no other tensor gets its number
            return made
        if name == "is_pinned":
            return _memory(args[0]) in self._pinned
        if name == "_local_scalar_dense" and args[0].device.type == "cpu":
            return 3  # the number of steps of an optimiser, or what kornia drew: these live on the CPU
        if name in ("_local_scalar_dense", "nonzero", "is_nonzero", "equal"):
            raise HostRead(f"{name} waits for the GPU")
        pinned = name == "empty" and kwargs.get("pin_memory")
        made = func(*args, **kwargs)
        if pinned:
            self._pinned[_memory(made)] = made
        self._note(name, args, made)
        return made

    def _note(self, name, args, made) -> None:
        target = args[0] if name == "copy_" else made[0] if isinstance(made, list | tuple) and made else made
        if not isinstance(target, Tensor):
            return
        source = next((a for a in args if isinstance(a, Tensor)), None)
        if name == "copy_" or (name == "_to_copy" and source is not None and source.device != target.device):
            source = args[1] if name == "copy_" else source
            if source.device.type == "cuda" and target.device.type == "cpu":
                if _memory(target) not in self._pinned:
                    raise HostRead(f"{name} to the CPU waits for the GPU")
            elif source.device.type == "cpu" and target.device.type == "cuda":
                pinned = _memory(source) in self._pinned
                self.counts["pinned" if pinned else "pageable"] += 1
                if not pinned:
                    self.pageable[_caller()] += 1
                return
        on_gpu = target.device.type == "cuda"
        if on_gpu and not name.startswith((*_VIEWS, *_FREE)):
            self.counts["launches"] += 1


def _memory(tensor: Tensor) -> int:
    """A number that tells memories apart."""
    return tensor.untyped_storage()._cdata


def _caller() -> str:
    """File and line of this toolkit that is at work."""
    inside = f"{os.sep}sr{os.sep}"
    frames = [f for f in traceback.extract_stack() if inside in f.filename and "site-packages" not in f.filename]
    if not frames:
        return "outside"
    return f"{frames[-1].filename.rpartition(inside)[2]}: {frames[-1].line}"


@contextmanager
def watched(mode: FakeTensorMode) -> Iterator[Watch]:
    """Everything inside runs on the fake GPU."""
    watch = Watch()
    with mode, watch:
        yield watch


def on_fake_gpu(network: nn.Module) -> None:
    """Replace weights and buffers; inside `watched` or the mode itself."""
    for module in network.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = nn.Parameter(_fake(weight), weight.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = _fake(buffer)


def _fake(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=GPU)


class Optimizer:
    """What a step asks of Lightning's optimiser."""

    def __init__(self, optimizer: torch.optim.Optimizer, network: nn.Module) -> None:
        self.optimizer, self.network = optimizer, network

    def step(self) -> None:
        self.optimizer.step()

    def zero_grad(self) -> None:
        self.optimizer.zero_grad()

    def toggle_model(self, sync_grad: bool):
        return nullcontext()


def without_trainer(module, watch_of) -> None:
    """Let a training module step without Lightning; gradients are stood in for.

    Args:
        module: the `SuperResolution`, on the fake GPU.
        watch_of: gives the `Watch` that counts.
    """
    networks = [module.network, *(adversary.network for adversary in module.adversaries.values())]
    optimizers = [Optimizer(o, n) for o, n in zip(module.configure_optimizers(), networks, strict=True)]

    def backward(loss: Tensor) -> None:
        assert loss.device == GPU
        assert loss.shape == ()
        assert loss.requires_grad
        watch_of().counts["backward"] += nodes(loss)
        for network in networks:
            for weight in network.parameters():
                if weight.requires_grad:
                    weight.grad = torch.empty_like(weight)

    module._trainer = SimpleNamespace(world_size=1)
    module.optimizers = lambda: optimizers
    module.manual_backward = backward


def nodes(loss: Tensor) -> int:
    """Nodes of the graph that lead to a loss."""
    seen, waiting = set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return len(seen)


def gradient(outputs, inputs, **_):
    """Stands in for `torch.autograd.grad`: a gradient that depends on what it is of."""
    return (torch.empty_like(inputs) + outputs,)


def fake_gpu(monkeypatch) -> FakeTensorMode:
    """The fake GPU, with what PyTorch asks of a real one stood in for; constants that are kept belong to one of it."""
    monkeypatch.setattr(torch.autograd, "grad", gradient)
    monkeypatch.setattr(torch.cuda, "Event", lambda: SimpleNamespace(record=lambda: None, synchronize=lambda: None))
    types = optimizers._foreach_supported_types
    monkeypatch.setattr(optimizers, "_foreach_supported_types", [*types, FakeTensor])
    return FakeTensorMode()
