"""``grow_from=``: a new run's networks begin as those of a run at half the scale, with one stage more."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from sr.config.building import build
from sr.config.folder import CONF, config_groups
from sr.config.starting import GROWN, Start, named_by, network_file, opponents_in, weights_in
from sr.errors import UserError
from sr.inference.networks import shipped
from sr.inference.opening import described, is_ours
from sr.models.files import check_finite, read_network
from sr.models.fitting import fits
from sr.models.growth import GROWN_SCALES, carried, patterns, why_not
from sr.models.scales import scale_of
from sr.targets import moved
from sr.training.keeping.checkpoint import read_checkpoint, understood
from sr.training.keeping.run_folder import RunFolder
from sr.training.module import SuperResolution


class _Half(NamedTuple):
    """The network to grow from: its file, its class and arguments, its scale, its weights."""

    path: Path
    model: Mapping[str, Any]
    scale: int
    tensors: Mapping[str, Tensor]


def grow_from(module: SuperResolution, start: Start, model: Any, say: Callable[[str], None]) -> dict[str, Any]:
    """Let a new run's networks begin as those of half the scale; optimisers, clocks and stores stay at update 0.

    The generator's average starts from the grown network. Of a discriminator every tensor is taken that fits: of one
    for a single size all but the first fully connected layer.

    Args:
        module: just built.
        start: from where; nothing happens where it asks for no growth.
        model: the run's ``model``, which makes the network of half the scale too.
        say: told what was carried, and what is new.

    Returns:
        What the run is to remember, ``{"grown": …}``; empty where nothing grew.

    Raises:
        UserError: this network does not grow, or there is no network of its kind and half its scale at that place.
    """
    place = start.places.get(GROWN)
    if place is None:
        return {}
    network, what = module.network, f"grow_from={place}"
    _check_grows(network, what)
    path = network_file(GROWN, shipped().get(place) or Path(place).expanduser())
    what = f"grow_from={path}"
    with named_by(GROWN, path):
        half = _half(path, network)
        _check_half(half, network, model, what)
        check_finite(path, half.tensors)
    try:
        grown = carried(network, _at_half(model, scale_of(network)), half.tensors)
    except ValueError as error:
        raise UserError(f"{what} {error}{_hint(half, model)}") from error
    network.load_state_dict(grown.tensors, strict=False)
    told = {"carried": patterns(grown.tensors, grown.new), "new": patterns(grown.new, grown.tensors)}
    say(
        f"grow_from: {type(network).__name__} x{scale_of(network)} grows from {half.path}, x{half.scale}: carried "
        f"{', '.join(told['carried'])} ({len(grown.tensors)} tensors); new {', '.join(told['new'])}"
    )
    if module.ema is not None:
        module.ema.start(network)
    opponents = _grow_opponents(module, place, half.path, say)
    return {GROWN: {"file": str(half.path), "scale": half.scale, **told, **opponents}}


def _check_grows(network: nn.Module, what: str) -> None:
    scale, kind = scale_of(network), type(network).__name__
    if scale not in GROWN_SCALES:
        raise UserError(f"{what}: this run is x{scale}, and x4 grows from x2, x8 from x4; choose scale=4 or scale=8")
    reason = why_not(network)
    if reason is not None:
        can = ", ".join(_growing(scale))
        raise UserError(f"{what}: {kind} at x{scale} does not grow: {reason}; networks that do: model={can}")


def _growing(scale: int) -> list[str]:
    """Choices of conf/model that grow to a scale."""
    return [name for name in config_groups(CONF)["model"] if _grows(name, scale)]


def _grows(name: str, scale: int) -> bool:
    try:
        model = OmegaConf.load(CONF / "model" / f"{name}.yaml")
        node = OmegaConf.create({"scale": scale, "model": model})
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            return why_not(build("model", node["model"])) is None
    except (UserError, OmegaConfBaseException):  # what needs more to be built
        return False


def _half(path: Path, network: nn.Module) -> _Half:
    """Read the network; of a run it is the last one, which its discriminator belongs to."""
    if path.suffix == ".ckpt":
        state = read_checkpoint(path)
        with understood(path):
            config = state["config"]
            scale, model = int(config["scale"]), {**config["model"], "scale": int(config["scale"])}
        return _Half(path, {**model, "_target_": moved(str(model["_target_"]))}, scale, weights_in(GROWN, path, state))
    if is_ours(path):
        info, tensors = read_network(path)
        return _Half(path, info.config, info.scale, tensors)
    kind = f"{type(network).__module__}.{type(network).__qualname__}"
    for known, weights in described(path):
        if known["_target_"] == kind:
            return _Half(path, known, int(known["scale"]), weights)
    raise UserError(f"the file does not say what network it is, and its weights are no {type(network).__name__}'s")


def _check_half(half: _Half, network: nn.Module, model: Any, what: str) -> None:
    scale, kind, target = scale_of(network), type(network).__name__, str(half.model.get("_target_"))
    other = target.rpartition(".")[2]
    if target != str(model["_target_"]):
        raise UserError(
            f"{what} is {other} x{half.scale}, and this run's network is {kind}: a network grows from one of its kind"
        )
    if half.scale == scale:
        raise UserError(f"{what} is x{half.scale} as this run; init_from={half.path} starts from it")
    if 2 * half.scale != scale:
        raise UserError(f"{what} is x{half.scale}, and x{scale} grows from x{scale // 2}; give one of that scale")


def _at_half(model: Any, scale: int) -> nn.Module:
    """The run's network at half its scale, without its weights."""
    node: Any = OmegaConf.to_container(model, resolve=True) if OmegaConf.is_config(model) else dict(model)
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        half: nn.Module = build("model", {**node, "scale": scale // 2})
    return half


def _hint(half: _Half, model: Any) -> str:
    """The arguments in which the trained network differs."""
    plain: Any = OmegaConf.to_container(model, resolve=True) if OmegaConf.is_config(model) else model
    others = [f"model.{k}={v}" for k, v in half.model.items() if k in plain and k != "scale" and plain[k] != v]
    return f"; it was trained with {' '.join(others)}" if others else ""


def _grow_opponents(
    module: SuperResolution, place: str, path: Path, say: Callable[[str], None]
) -> dict[str, dict[str, list[str]]]:
    """Take what fits of the discriminators that were trained beside the network."""
    if not module.adversaries:
        say("grow_from: the optimiser and the clock begin anew")
        return {}
    folder = Path(place).expanduser()
    checkpoint = path if path.suffix == ".ckpt" else RunFolder(folder).checkpoint
    trained = opponents_in(checkpoint) if checkpoint.is_file() else {}
    told = {}
    for name, adversary in module.adversaries.items():
        network, tensors = adversary.network, trained.get(name, {})
        expected = network.state_dict()
        taken = {key: value for key, value in tensors.items() if key in expected and fits(value, expected[key])}
        check_finite(checkpoint, taken)
        network.load_state_dict(taken, strict=False)
        anew = [key for key in expected if key not in taken]
        told[name] = {"carried": patterns(taken, anew), "new": patterns(anew, taken)}
        kind = type(network).__name__
        if taken:
            rest = f"new {', '.join(told[name]['new'])}" if anew else "nothing new"
            kept = ", ".join(told[name]["carried"])
            say(f"grow_from: {kind} of {name} goes on from {checkpoint}: carried {kept}; {rest}")
        else:
            say(f"grow_from: {kind} of {name} begins anew: {_no_opponent(name, checkpoint, trained)}")
    say("grow_from: optimisers, clocks and stores of old fakes begin anew")
    return told


def _no_opponent(name: str, checkpoint: Path, trained: Mapping[str, Any]) -> str:
    if name in trained:
        return f"nothing of that of {checkpoint} fits"
    return f"{checkpoint} has none" if checkpoint.is_file() else "a file of a network has none"
