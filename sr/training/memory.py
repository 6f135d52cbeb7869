"""Refuse a batch that cannot fit, before the operating system kills the run."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sr.devices import free_bytes
from sr.models.outputs import picture_of
from sr.models.scales import scale_of
from sr.training.callbacks.swapout import GENERATOR, Swapout
from sr.training.contract import Trainable
from sr.training.peak import peak_bytes
from sr.training.precision import Compute
from sr.training.sides import side_of
from sr.types import UserError

_MOMENTS = 2
"""Copies of the weights that optimisers keep, as Adam does."""

_PROBE = 64
"""Largest side of the crop that is measured: trying the real one could itself take all memory."""

_SHARE = 0.8
"""Of what is free that a suggestion takes: other programs need some, and so do the optimiser's moments."""


Step = Callable[[Tensor], Tensor]
"""A forward pass from (batch, 3, h, w) low resolution to whatever the backward pass starts from."""


def bytes_kept_for_backward(network: nn.Module, lr: Tensor, compute: Compute, step: Step | None = None) -> int:
    """Bytes of the tensors that one forward pass keeps for the backward pass, each counted once.

    Of a network with checkpointing it is the most that both passes hold at once: what a block forgets and computes
    again counts while its own gradient is computed.

    Args:
        network: the generator.
        lr: (batch, 3, h, w) input.
        compute: number format.
        step: the whole forward pass where it is more than the network's, with losses and discriminators.
    """
    if any(getattr(part, "checkpointing", False) for part in network.modules()):
        return _most_with_backward(network, lr, compute, step)
    kept: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), compute.autocast():
        result = picture_of(network(lr)) if step is None else step(lr)
    return sum(kept.values()) + result.untyped_storage().nbytes()


def _most_with_backward(network: nn.Module, lr: Tensor, compute: Compute, step: Step | None) -> int:
    """Bytes of a forward and a backward pass, which leaves no gradients behind."""

    def both() -> None:
        with compute.autocast():
            result = picture_of(network(lr)) if step is None else step(lr)
        torch.autograd.grad(result.sum(), [p for p in network.parameters() if p.requires_grad], allow_unused=True)

    return peak_bytes(both, lr.device)


class Kept(NamedTuple):
    """Memory that a setting takes on the device for the whole run.

    Attributes:
        setting: with its value.
        nbytes: how much.
        each: bytes of one of what the setting counts, or 0.
        off: its value without, where it counts nothing.
    """

    setting: str
    nbytes: int
    each: int = 0
    off: str = "false"

    def advice(self, room: float) -> str:
        """The setting with which it takes no more than so many bytes."""
        name = self.setting.partition("=")[0]
        return f"{name}={_at_most(max(1, int(room / self.each)))}" if self.each else f"{name}={self.off}"


def _at_most(count: int) -> str:
    return f"{count} or less" if count > 1 else str(count)


def kept_on_device(
    module: Trainable,
    lr_shape: tuple[int, int, int, int],
    processes: int,
    recover: bool,
    swapouts: Sequence[Swapout] = (),
) -> list[Kept]:
    """What lies on the device beside networks and batches: old fakes, the guard's copies, networks that are swapped.

    Args:
        module: the training module.
        lr_shape: (batch, 3, h, w) of a training batch.
        processes: that train together; each keeps the fakes of all.
        recover: the guard keeps copies to go back to.
        swapouts: of the run; while an earlier network plays, the one of today waits beside it.
    """
    batch, _, height, width = lr_shape
    scale = int(getattr(module.network, "scale"))  # noqa: B009
    kept = []
    for name, adversary in module.adversaries.items():
        if adversary.replay is not None:
            rows, columns = (side_of(adversary.shows.pair.made, side, scale) for side in (height, width))
            values = adversary.shows.channels * rows * columns
            each, capacity = adversary.replay.bytes_of_one(batch * processes, values), adversary.replay.capacity
            kept.append(Kept(f"adversary.{name}.replay.capacity={capacity}", capacity * each, each))
    if recover:
        networks = [module.network, *(adversary.network for adversary in module.adversaries.values())]
        copies = sum(map(_bytes_of_state, networks)) * (1 + _MOMENTS)
        copies += 0 if module.ema is None else _bytes_of_state(module.ema.averaged())
        kept.append(Kept("trainer.guard.recover=true", copies))
    return [*kept, *(one for swapout in swapouts for one in _swapped(module, swapout))]


def _swapped(module: Trainable, swapout: Swapout) -> Iterator[Kept]:
    of_adversaries = {name: adversary.network for name, adversary in module.adversaries.items()}
    networks = {GENERATOR: module.network} | of_adversaries
    exchanged = swapout.exchanged(of_adversaries)
    for setting, names in (("g_every", {GENERATOR}), ("d_every", of_adversaries.keys())):
        waiting = [networks[name] for name in exchanged if name in names]
        if waiting:
            name = f"callbacks.swapout.{setting}={getattr(swapout, setting)}"
            yield Kept(name, sum(map(_bytes_of_state, waiting)) * (1 + _MOMENTS), off="null")


def _bytes_of_state(network: nn.Module) -> int:
    return sum(value.untyped_storage().nbytes() for value in network.state_dict().values())


def check_batch_fits(
    network: nn.Module,
    lr_shape: tuple[int, int, int, int],
    compute: Compute,
    steps: Sequence[Step] = (),
    unpaired: bool = False,
    kept: Sequence[Kept] = (),
) -> None:
    """Measure small crops and multiply: convolutions keep as many bytes per pixel at any size.

    Args:
        network: the generator, on its device.
        lr_shape: (batch, 3, h, w) of a training batch.
        compute: device and number format.
        steps: see `bytes_kept_for_backward`; they come one after another, so the largest counts.
        unpaired: batches bring other real pictures beside the pairs.
        kept: see `kept_on_device`.

    Raises:
        UserError: the batch, or what is kept beside it, needs more than the memory that is free.
    """
    batch, channels, height, width = lr_shape
    free = free_bytes(compute.device)
    scale = scale_of(network)
    probe = min(height, _PROBE), min(width, _PROBE)
    measured = [_measured(network, channels, probe, compute, step) for step in steps or (None,)]
    shared, per_pixel = max(measured, key=lambda found: found[0] + batch * found[1] * height * width)
    per_pixel += 4 * channels * (1 + (3 + unpaired) * scale**2)  # lr, hr, sr and its gradient, others; float32
    crop = per_pixel * height * width
    needed = shared + batch * crop
    if needed <= free:
        _check_kept(needed, free, kept)
        return
    if shared + crop > free:
        side = math.isqrt(max(1, int((_SHARE * free - shared) / per_pixel)))
        raise UserError(
            f"one crop of {height}x{width} alone needs about {(shared + crop) / 2**30:.1f} GiB and "
            f"{free / 2**30:.1f} GiB are free: take a smaller data.crop, {side} at most"
        )
    most = max(1, int((_SHARE * free - shared) / crop))
    raise UserError(
        f"a batch of {batch} crops of {height}x{width} needs about {needed / 2**30:.1f} GiB and "
        f"{free / 2**30:.1f} GiB are free: take data.batch_size={_at_most(most)}, or a smaller data.crop; "
        f"trainer.accumulate={-(-batch // most)} keeps the update the same"
    )


def _check_kept(needed: float, free: int, kept: Sequence[Kept]) -> None:
    if needed + sum(one.nbytes for one in kept) <= free:
        return
    largest = max(kept, key=lambda one: one.nbytes)
    others = needed + sum(one.nbytes for one in kept) - largest.nbytes
    raise UserError(
        f"{largest.setting} keeps {largest.nbytes / 2**30:.1f} GiB in memory, a step needs about "
        f"{others / 2**30:.1f} GiB beside it and {free / 2**30:.1f} GiB are free: take "
        f"{largest.advice(_SHARE * (free - others))}, or a smaller data.crop"
    )


def _measured(
    network: nn.Module, channels: int, sides: tuple[int, int], compute: Compute, step: Step | None
) -> tuple[int, float]:
    """Bytes that the backward pass needs at any batch size (weights in another format), and those per LR pixel."""
    state = {name: value.clone() for name, value in network.state_dict().items()}
    one, two = (
        bytes_kept_for_backward(network, torch.zeros(n, channels, *sides, device=compute.device), compute, step)
        for n in (1, 2)
    )
    network.load_state_dict(state)  # a forward pass moves batch norm's statistics
    return max(0, 2 * one - two), (two - one) / (sides[0] * sides[1])
