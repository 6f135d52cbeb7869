"""From configuration to adversaries, after making sure that each discriminator fits what it will be shown."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import OmegaConf
from torch import nn

from sr.errors import UserError
from sr.training.adversary.adversary import Adversary
from sr.training.precision import Compute

_LARGEST_CROP = 2048


def needs_float32(adversaries: Any) -> str | None:
    """The setting of an adversary for which half precision is too coarse; None where there is none.

    Args:
        adversaries: the configuration's node, by name.
    """
    plain: Any = OmegaConf.to_container(adversaries, resolve=True)
    for name, node in plain.items():
        penalty = (node.get("objective") or {}).get("penalty", 0)
        if penalty:
            return f"adversary.{name}.objective.penalty={penalty:g}"
        if node.get("r1_gamma", 0):
            return f"adversary.{name}.r1_gamma={node['r1_gamma']:g}"
    return None


def build_adversaries(config: Any, compute: Compute, build: Callable[[str, Any], Any]) -> dict[str, Adversary]:
    """All adversaries of a run, their networks on the device.

    Args:
        config: checked configuration.
        compute: device, number format and layout.
        build: makes an object of a node, see `sr.app.building.build`.

    Raises:
        UserError: a constructor refused its arguments, or a discriminator does not fit what it is shown.
    """
    made: dict[str, Adversary] = {}
    for name in config.adversary:
        adversary = _built(name, config, build)
        reason = adversary.needs_float32
        if compute.bf16 and reason is not None:
            raise UserError(f"adversary.{name}.{reason} needs float32; set trainer.precision=32")
        check_fits(name, adversary, config.scale, config.data.crop)
        if adversary.replay is not None and config.trainer.devices > 1:
            raise UserError(
                f"adversary.{name}.replay keeps the fakes of its own process, which a checkpoint does not hold with "
                f"trainer.devices={config.trainer.devices}; set trainer.devices=1 or leave the replay out"
            )
        compute.place(adversary.network)
        made[name] = adversary
    return made


def _built(name: str, config: Any, build: Callable[[str, Any], Any]) -> Adversary:
    node = config.adversary[name]
    try:
        made: Adversary = build(f"adversary.{name}", node)
    except UserError as error:
        text = str(error).replace(f"adversary.{name}.network", "discriminator")
        wanted = re.search(r"so that (\d+) pixels are shown", text)
        if wanted is None:
            raise UserError(text) from error
        shift, scale, crop = node.shows.shift, config.scale, config.data.crop
        shown = f"data.crop={crop} at scale={scale} shows {scale * crop - shift} pixels"
        shifted = f" (less adversary.{name}.shows.shift={shift})" if shift else ""
        needed, rest = divmod(int(wanted[1]) + shift, scale)
        hint = f"; take data.crop={needed}" if rest == 0 else ""
        raise UserError(f"{text.rstrip('.')}: {shown}{shifted}{hint}") from error
    return made


def check_fits(name: str, adversary: Adversary, scale: int, crop: int) -> None:
    """Make sure that the discriminator can take what the adversary shows it.

    Raises:
        UserError: it wants other channels or another size; the message names the crop that fits.
    """
    network: Any = adversary.network
    shows = adversary.shows
    if shows.scale != scale:
        raise UserError(f"adversary.{name}.shows.scale={shows.scale}, but scale={scale}; leave it out")
    channels = getattr(network, "in_channels", shows.channels)
    if channels != shows.channels:
        beside = "SR or HR alone" if shows.channels == 3 else "SR or HR beside the enlarged LR"
        raise UserError(
            f"discriminator.in_channels={channels}, but adversary.{name} shows {shows.channels} channels ({beside}); "
            "leave discriminator.in_channels out, or change "
            f"adversary.{name}.shows.condition={shows.condition}"
        )
    side = scale * crop - shows.shift
    fault = _size_fault(adversary, side)
    if fault is None:
        return
    fitting = [c for c in range(1, _LARGEST_CROP) if _size_fault(adversary, scale * c - shows.shift) is None]
    nearest = sorted(sorted(fitting, key=lambda c: abs(c - crop))[:2])
    hint = f"take data.crop={' or '.join(map(str, nearest))}" if nearest else "take another discriminator"
    shift = f" less adversary.{name}.shows.shift={shows.shift}" if shows.shift else ""
    raise UserError(
        f"{fault}: data.crop={crop} at scale={scale}{shift} shows the discriminator {side}x{side} pixels; {hint}"
    )


def _size_fault(adversary: Adversary, side: int) -> str | None:
    network: Any = adversary.network
    kind = type(network).__name__
    fixed, least, multiple = (getattr(network, key, None) for key in ("side", "smallest_side", "multiple_of"))
    if fixed is not None and side != fixed:
        return f"{kind} was made for {fixed}x{fixed} pixels"
    if side < (least or 1):
        return f"{kind} needs at least {least}x{least} pixels"
    if side % (multiple or 1):
        return f"{kind} needs sides that are a multiple of {multiple}"
    swap = adversary.shows.swap
    if swap is not None and side < swap.smallest_side:
        return f"shows.swap needs at least {swap.smallest_side}x{swap.smallest_side} pixels for its boxes"
    return None


def doubts(name: str, adversary: Adversary, max_updates: int | None) -> Iterator[str]:
    """A line for each setting that is allowed and probably not meant.

    Args:
        name: of the adversary.
        adversary: as built.
        max_updates: of the run, or None.
    """
    start = adversary.policy.start
    if max_updates is not None and start >= max_updates:
        yield f"adversary {name} learns from update {start} on, and the run ends at {max_updates}: it will never learn"
    normed = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in adversary.network.modules())
    if normed and adversary.objective.penalty > 0:
        yield (
            f"adversary {name}: batch norm mixes the pictures of a batch, and the gradient penalty means each alone; "
            "discriminator=patchgan, unet or conv has none"
        )
