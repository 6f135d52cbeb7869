"""What is looked at before anything takes long: settings and parts that do not go together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from sr.data.kinds.matching import header_size
from sr.data.kinds.sources import Folder
from sr.data.module import CropData
from sr.data.pairs import ValidationPair
from sr.data.sets import ShownPicture
from sr.devices import free_bytes
from sr.draws import Draws
from sr.inference.memory import bytes_per_pixel
from sr.metrics.functional import check_side
from sr.models.translators import generator_to, is_translator
from sr.training.adversary.agreement import check_truth, check_unpaired, compared
from sr.training.columns import gain
from sr.training.contract import Trainable
from sr.training.module import SuperResolution
from sr.training.schedules import OnPlateau
from sr.training.translation import period_of
from sr.training.views import DEGRADED
from sr.types import UserError


def check_given(config: Any, names: tuple[str, ...]) -> None:
    """Refuse settings that were written without a value, as in ``run_dir=``.

    Raises:
        UserError: one is empty.
    """
    for name in names:
        if config[name] == "":
            raise UserError(f"{name}= has no value; give a folder, or leave {name} out")


def check_devices(trainer: Any, sweep: bool) -> None:
    """Make sure that so many processes can train together.

    Args:
        trainer: configuration.
        sweep: the command has several runs.

    Raises:
        UserError: they cannot.
    """
    devices = trainer.devices
    if devices < 1:
        raise UserError(f"trainer.devices={devices} must be at least 1")
    if devices == 1:
        return
    if sweep:
        raise UserError(f"a sweep trains one run after another in one process, not on trainer.devices={devices}")
    if trainer.max_time is not None or trainer.max_updates is None:
        raise UserError(
            f"trainer.devices={devices} processes have clocks that differ: end the run with trainer.max_updates=N, "
            "and leave trainer.max_time out"
        )
    there = torch.cuda.device_count()
    if trainer.accelerator != "cpu" and there and devices > there:
        raise UserError(f"trainer.devices={devices}, and this machine has {there} GPU(s); take {there} at most")


def check_plateau(monitor: str, module: Trainable) -> None:
    """A plateau must look for what is better in the monitored metric.

    Raises:
        UserError: it looks for the opposite.
    """
    better = "min" if gain(monitor, 1.0) < 0 else "max"
    named: Mapping[str, Any] = {"schedule": module.schedule} | {
        f"adversary.{n}.schedule": a.schedule for n, a in module.adversaries.items()
    }
    for name, schedule in named.items():
        if isinstance(schedule, OnPlateau) and schedule.mode != better:
            raise UserError(
                f"{name}.mode={schedule.mode}, but of trainer.monitor={monitor} the {better}imum is best; "
                f"set {name}.mode={better}"
            )


def check_unpaired_data(module: SuperResolution, data: CropData) -> None:
    """Objectives and adversaries must do without what unpaired data does not have.

    Raises:
        UserError: one needs a truth, real pictures that are not there, or low resolution beside them.
    """
    if "a" in data.shown_sources and not is_translator(module.network):
        raise UserError(
            f"the data has two sides (data.a and data.b with data=unpaired), and {type(module.network).__name__} "
            "translates nothing; choose other data, or a network that does: experiment=cyclegan/model2"
        )
    if is_translator(module.network) and data.real is None:
        raise UserError(
            f"{type(module.network).__name__} translates between two sides, and the data has one; give two folders by "
            "data=unpaired data.a=DIR data.b=DIR, or take experiment=cyclegan/model2, which draws its own"
        )
    if is_translator(module.network) and data.crop < 2 * period_of(module.network):
        raise UserError(
            f"data.crop={data.crop} leaves nothing after the halvings of {type(module.network).__name__}; take "
            f"data.crop={2 * period_of(module.network)} at least, or a smaller model.halvings"
        )
    if data.real is not None:
        check_unpaired(module.network, module.objective, module.adversaries)
    if not data.paired:
        check_truth(module.objective, module.adversaries, data.real is not None)


def check_measurable(
    sets: Mapping[str, Sequence[ValidationPair]], scale: int, translated: Sequence[ShownPicture] = ()
) -> None:
    """Every validation picture must be large enough for all metrics, before anything is written.

    Args:
        sets: pictures by the name of their set.
        scale: of the network.
        translated: pictures without a truth that are measured there and back.

    Raises:
        UserError: one is not; the message names it.
    """
    for picture in translated:
        height, width, channels = picture.lr.shape
        try:
            check_side(min(height, width), f"{width}x{height}x{channels}", 0)
        except UserError as error:
            raise UserError(f"{picture.name}: {error}; leave it out of data.shown (or of data.a, data.b)") from error
    for pair in (pair for pairs in sets.values() for pair in pairs):
        height, width, channels = pair.hr.shape
        try:
            check_side(min(height, width), f"{width}x{height}x{channels}", scale)
        except UserError as error:
            raise UserError(f"{pair.name}: {error}") from error


def check_room(network: nn.Module, translated: Sequence[ShownPicture], device: torch.device) -> None:
    """Pictures are translated whole by each validation, and the largest must fit into memory.

    Raises:
        UserError: it does not.
    """
    if not translated:
        return
    largest = max(translated, key=lambda picture: picture.lr.shape[0] * picture.lr.shape[1])
    height, width, _ = largest.lr.shape
    needed, free = bytes_per_pixel(generator_to(network, "b")) * height * width, free_bytes(device)
    if needed > free:
        raise UserError(
            f"{largest.name}: validation translates whole pictures, and one of {width}x{height} takes about "
            f"{needed / 2**30:.1f} GiB where {free / 2**30:.1f} GiB are free: make pictures smaller, as by "
            "data.shorter_side=256 with data=unpaired"
        )


def check_gradient(module: SuperResolution, crop: int) -> None:
    """What is said of degraded pictures must reach the generator through the degradation.

    Args:
        module: the training module.
        crop: side of a low-resolution crop.

    Raises:
        UserError: no gradient comes through.
    """
    for setting, pair in compared(module.objective, module.adversaries).items():
        if f"{DEGRADED}(" in pair.made and not _passes_gradient(module, crop):
            raise UserError(
                f"{setting}={','.join(pair)} needs a degradation that passes gradient on, and degradation=… of this "
                "run does not, as JPEG and videos never do; take degradation=bicubic or another without them, or "
                f"{setting}='lr(sr),lr'"
            )


def _passes_gradient(module: SuperResolution, crop: int) -> bool:
    side = crop * module.scale
    picture = torch.linspace(0.2, 0.8, side, device=module.compute.device).expand(4, 3, side, side)
    picture = picture.clone().requires_grad_()
    try:
        made = module.degradation(picture, Draws(0, np.arange(4)))
    except RuntimeError:  # operations that write into memory of their own
        return False
    if not made.requires_grad:
        return False
    made.sum().backward()
    return picture.grad is not None and bool((picture.grad.flatten(1).abs().sum(1) > 0).all())


def try_degradation(degradation: Any, crop: int, device: torch.device) -> None:
    """Degrade a few gray crops, so that stages that do not fit together are told before a store is built.

    Raises:
        UserError: the stages end with another size, or a pool cannot be read.
    """
    side = crop * degradation.scale
    with torch.no_grad():
        degradation(torch.full((4, 3, side, side), 0.5, device=device), Draws(0, np.arange(4)))


def smaller_than_crop(data: CropData, scale: int) -> str | None:
    """What to say where a crop that does not fit into memory is larger than every picture; None where one is as large.

    Args:
        data: not prepared yet; the headers of the files of folders are read.
        scale: high-resolution pixels per low-resolution one.
    """
    source, scale = data.train_sides.hr, scale if data.paired else 1
    side = data.crop * scale
    if not isinstance(source, Folder):
        return None
    largest = (0, 0)
    for path in source.paths:
        largest = max(largest, header_size(path) or (0, 0), key=min)
        if min(largest) >= side:
            return None
    height, width = largest
    at = f" at scale={scale}" if scale > 1 else ""
    return (
        f"data.crop={data.crop}{at} needs {side}x{side} pixels, and the largest picture is "
        f"{width}x{height}; take data.crop={max(1, min(largest) // scale)} at most"
    )


def check_input(augmentation: Any, data: CropData) -> None:
    """An augmentation that changes what the degradation sees needs a degradation that has not run yet.

    Raises:
        UserError: low-resolution pictures are given or made in advance.
    """
    if augmentation.changes_input and data.stream.batches.lr is not None:
        names = ", ".join(name for name, step in augmentation.steps.items() if step.changes_input)
        raise UserError(
            f"augmentation {names} changes what the degradation sees, but low-resolution pictures are given or made in "
            "advance; set degradation.in_advance=false, or leave the augmentation out"
        )
