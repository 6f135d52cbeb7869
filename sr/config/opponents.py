"""From configuration to adversaries, after making sure that each discriminator fits what it will be shown."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from sr.config.schema import shown_of, shown_side
from sr.errors import UserError
from sr.losses.gan import RelativisticAverage
from sr.losses.views import base_of
from sr.losses.weights import Constant
from sr.models.translators import is_translator
from sr.training.adversary.adversary import Adversary
from sr.training.adversary.agreement import looks_at
from sr.training.callbacks.swapout import Swapout
from sr.training.module import SuperResolution
from sr.training.sides import side_of

_LARGEST_CROP = 2048


def needs_float32(adversaries: Mapping[str, Adversary]) -> str | None:
    """The setting of an adversary for which half precision is too coarse; None where there is none.

    Args:
        adversaries: by name.
    """
    reasons = {name: adversary.needs_float32 for name, adversary in adversaries.items()}
    return next((f"adversary.{name}.{reason}" for name, reason in reasons.items() if reason is not None), None)


def build_adversaries(config: Any, build: Callable[[str, Any], Any]) -> dict[str, Adversary]:
    """All adversaries of a run, their networks still where they were made.

    Args:
        config: checked configuration.
        build: makes an object of a node, see `sr.config.building.build`.

    Raises:
        UserError: a constructor refused its arguments, or a discriminator does not fit what it is shown.
    """
    made: dict[str, Adversary] = {}
    for name in config.adversary:
        adversary = _built(name, config, build)
        check_fits(name, adversary, config.scale, config.data.crop)
        if adversary.mismatched and config.data.batch_size < 2:
            raise UserError(
                f"adversary.{name}.mismatched=true takes the low resolution of another picture of the batch, and "
                f"data.batch_size={config.data.batch_size} has none; take data.batch_size=2 or more"
            )
        made[name] = adversary
    return made


def _built(name: str, config: Any, build: Callable[[str, Any], Any]) -> Adversary:
    node = config.adversary[name]
    try:
        made: Adversary = build(f"adversary.{name}", node)
    except UserError as error:
        text = str(error).replace(f"adversary.{name}.network", "discriminator")
        refusals = (error, error.__cause__)  # a discriminator for one size names the nearest that it could be made for
        wanted = next((side for e in refusals if (side := getattr(e, "side", None)) is not None), None)
        if wanted is None:
            raise UserError(text) from error
        shift, scale, crop = shown_of(node.shows, "shift"), config.scale, config.data.crop
        shown = f"data.crop={crop} at scale={scale} shows {shown_side(node.shows, crop, scale)} pixels"
        shifted = f" (less adversary.{name}.shows.shift={shift})" if shift else ""
        needed, rest = divmod(wanted + shift, max(1, shown_side({**node.shows, "shift": 0}, scale, scale) // scale))
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
    if shows.condition != "none" and side_of(shows.pair.made, crop, scale) != scale * crop:
        raise UserError(
            f"adversary.{name}.shows.condition={shows.condition} puts the enlarged LR beside pictures of its size, and "
            f"shows.views={','.join(shows.pair)} are smaller; set one of the two back"
        )
    whole = side_of(shows.pair.made, crop, scale)
    for pair in shows.pairs[1:]:
        if side_of(pair.made, crop, scale) != whole:
            raise UserError(
                f"adversary.{name}.shows.also={pair.made} is a second fake of another size than "
                f"shows.views={','.join(shows.pair)}; name a view of their size, or set shows.also=null"
            )
    side = whole - shows.shift
    fault = _size_fault(name, adversary, side)
    if fault is None:
        return
    sides = {c: side_of(shows.pair.made, c, scale) - shows.shift for c in range(1, _LARGEST_CROP)}
    fitting = [c for c, side in sides.items() if _size_fault(name, adversary, side) is None]
    nearest = sorted(sorted(fitting, key=lambda c: abs(c - crop))[:2])
    hint = f"take data.crop={' or '.join(map(str, nearest))}" if nearest else "take another discriminator"
    shift = f" less adversary.{name}.shows.shift={shows.shift}" if shows.shift else ""
    raise UserError(
        f"{fault}: data.crop={crop} at scale={scale}{shift} shows the discriminator {side}x{side} pixels; {hint}"
    )


def _size_fault(name: str, adversary: Adversary, side: int) -> str | None:
    network: Any = adversary.network
    kind = type(network).__name__
    fixed, least = (getattr(network, key, None) for key in ("side", "smallest_side"))
    if fixed is not None and side != fixed:
        return f"{kind} was made for {fixed}x{fixed} pixels"
    if side < (least or 1):
        return f"{kind} needs at least {least}x{least} pixels"
    swap = adversary.shows.swap
    if swap is not None and side < swap.smallest_side:
        least = swap.smallest_side
        return f"adversary.{name}.shows.swap needs at least {least}x{least} pixels for its boxes"
    return None


def _named(source: Any) -> str:
    """Pictures as they were typed, or what makes them."""
    if not isinstance(source, Mapping):
        return f"{source}"
    given = source.get("given")
    return f"{given}" if isinstance(given, str) else str(source.get("_target_", "…")).rpartition(".")[2]


def doubts(module: SuperResolution, config: Any, swapouts: Iterable[Swapout], from_scratch: bool) -> Iterator[str]:
    """A line for each setting that is allowed and probably not meant.

    Args:
        module: as built.
        config: its configuration.
        swapouts: of the run.
        from_scratch: the generator starts untrained.
    """
    adversaries, trainer = module.adversaries, config.trainer
    real = config.data.get("real")
    if real is not None and not looks_at("real", module.objective, adversaries):
        setting = "data.hr" if config.data.get("train") is None else "data.real"
        yield f"{setting}={_named(real)} is read for nothing: no adversary or loss looks at it; adversary=bce does"
    degraded_live = not getattr(module.degradation, "in_advance", False) and config.data.get("train_lr") is None
    if getattr(module.network, "reference", None) is not None and degraded_live:
        yield (
            "the photograph beside each crop is shrunk high resolution, as degradation=… works on crops here: colours, "
            "noise or blur of the input are not in it, and in use they are"
        )
    if is_translator(module.network):
        yield from _doubts_of_translation(module)
    for swapout in swapouts:
        doubt = swapout.doubt(adversaries, trainer.max_updates)
        if doubt is not None:
            yield doubt
    for name, adversary in adversaries.items():
        yield from _doubts_of_one(f"adversary {name}", adversary, trainer)
    loud = [name for name, adversary in adversaries.items() if _at_once(adversary)]
    if from_scratch and loud:
        unpaired = config.data.get("train") is None and real is not None
        later = " ".join(f"adversary.{name}.policy.start=500" for name in loud)
        way = f"{later} lets the other losses begin" if unpaired else "experiment=gan_phases starts one after the other"
        yield f"{_counting(loud)}, against an untrained generator; {way}"


def _doubts_of_translation(module: SuperResolution) -> Iterator[str]:
    pairs = [pair for adversary in module.adversaries.values() for pair in adversary.shows.pairs]
    judged = {base_of(name) for pair in pairs for name in pair}
    for view, generator in (("sr", "to_b"), ("back", "to_a")):
        if view not in judged:
            yield (
                f"no adversary judges what {generator} makes ({view}): it learns from what brings pictures back alone; "
                "adversary=[lsgan,cycle] judges both"
            )
    if not looks_at("again_a", module.objective, {}) or not looks_at("again_b", module.objective, {}):
        yield "no term of the loss compares pictures there and back, so nothing keeps their content; loss=cycle does"


def _counting(loud: Sequence[str]) -> str:
    """That these adversaries judge untaught, whether it is one or several."""
    if len(loud) == 1:
        return f"adversary {loud[0]} counts in full from update 0, before it has learnt anything"
    names = f"{', '.join(loud[:-1])} and {loud[-1]}"
    return f"adversaries {names} count in full from update 0, before they have learnt anything"


def _at_once(adversary: Adversary) -> bool:
    """Its opinion counts from the first update on, as much as ever."""
    return isinstance(adversary.weight_schedule, Constant) and adversary.weight(0) > 0


def _doubts_of_one(who: str, adversary: Adversary, trainer: Any) -> Iterator[str]:
    start, end = adversary.policy.start, trainer.max_updates
    if end is not None and start >= end:
        yield f"{who} learns from update {start} on, and the run ends at {end}: it will never learn"
    normed = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in adversary.network.modules())
    if normed and adversary.objective.penalty > 0:
        yield (
            f"{who}: batch norm mixes the pictures of a batch, and the gradient penalty means each alone; "
            "discriminator=patchgan, unet or conv has none"
        )
    parts = [f"trainer.{key}={trainer[key]}" for key in ("accumulate", "devices") if trainer[key] > 1]
    if isinstance(adversary.objective, RelativisticAverage) and parts:
        are = "is" if len(parts) == 1 else "are"
        yield (
            f"{who}: RelativisticAverage takes the means of each batch of each process alone, so that "
            f"{' and '.join(parts)} {are} not the same as one large batch; raise data.batch_size instead where it fits"
        )
