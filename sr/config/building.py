"""From configuration to objects; a constructor's refusal becomes a message that names the setting."""

import functools
import inspect
import random
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from hydra.utils import get_object
from omegaconf import OmegaConf
from torch import nn

from sr.config.hinted import hinted
from sr.config.named import arguments_of, called
from sr.config.opponents import build_adversaries, needs_float32
from sr.devices import choose_device
from sr.training.clock import Clock, parse_duration
from sr.training.ema import Ema
from sr.training.module import SuperResolution
from sr.training.parts import Parts, example_part
from sr.training.precision import choose_compute
from sr.training.processes import rank
from sr.types import UserError

_NEEDED = {"model": ("scale",), "degradation": ("scale", "key", "slow", "in_advance", "picture")}
"""Attributes that a class of the user's may have forgotten; see `sr.data.degrade.Degradation`."""


def build(name: str, node: Any) -> Any:
    """Call what a checked node describes, its children first.

    Keys that the ``_target_`` does not take are inputs of other values (`sr.config.checks`) and stay out; lists and
    whole numbers become the tuples and floats of the annotations. Hydra's ``instantiate`` does neither.

    Args:
        name: of the setting, for messages.
        node: a configuration with ``_target_``, or a dictionary of such.

    Raises:
        UserError: a constructor refused its arguments, or the class lacks what others ask it for.
    """
    made = _made(name, OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node)
    if name == "model":
        _check_is_class(made, str(node["_target_"]))
    lacking = [attribute for attribute in _NEEDED.get(name, ()) if not _has(made, attribute)]
    if lacking:
        raise UserError(
            f"{name}: {type(made).__name__} has no {', '.join(lacking)}; CONTRIBUTING.md says what such a class needs"
        )
    return made


def _has(made: object, attribute: str) -> bool:
    """Without asking a property for its value: a degradation's key reads pools, which may have to be made first."""
    return inspect.getattr_static(made, attribute, None) is not None or hasattr(made, attribute)


def _check_is_class(network: Any, target: str) -> None:
    """A file of the network names its class, by which it is built again."""
    module, _, name = target.rpartition(".")
    if getattr(sys.modules.get(module), name, None) is not type(network):
        kind = f"{type(network).__module__}.{type(network).__qualname__}"
        raise UserError(
            f"model._target_={target} must be the class itself, in a module and not in a function or another class: "
            f"it makes a {kind}, which a file of the network could not name"
        )


def _made(name: str, node: Any) -> Any:
    if isinstance(node, list):
        return [_made(f"{name}[{index}]", child) for index, child in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    called_for = "_target_" in node  # without, its keys are names of somebody's
    children = {k: _made(f"{name}.{k}", v) for k, v in node.items() if not (called_for and k.startswith("_"))}
    if not called_for:
        return children
    function: Callable[..., Any] = get_object(node["_target_"])
    parameters, hints = _arguments_of(name, function, node)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    arguments = {k: hinted(v, hints.get(k)) for k, v in children.items() if open_ended or k in parameters}
    if node.get("_partial_"):
        return functools.partial(function, **arguments)
    try:
        return called(function, arguments)
    except UserError as error:
        if name.startswith("loss."):  # a file of weights, which several losses may have
            raise UserError(f"{name}: {error}") from error
        raise
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def _arguments_of(name: str, function: Callable[..., Any], node: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    try:
        return arguments_of(function, node)
    except ValueError as error:
        raise UserError(f"{name}.{error}") from error


def build_device(config: Any) -> torch.device:
    """Where the networks run.

    Raises:
        UserError: a choice of `trainer` that does not exist, or a device that this machine does not have.
    """
    trainer = config.trainer
    _one_of("trainer.precision", trainer.precision, ("auto", "32", "bf16"))
    _one_of("trainer.channels_last", trainer.channels_last, ("auto", "on", "off"))
    _one_of("trainer.accelerator", trainer.accelerator, ("auto", "cpu", "gpu", "mps"))
    try:
        return choose_device(trainer.accelerator, "trainer.accelerator=", rank())
    except ValueError as error:
        raise UserError(str(error)) from error


def build_clock(config: Any, say: Callable[[str], None]) -> Clock:
    """The limits; where neither is set, the default time, announced.

    Raises:
        UserError: a limit that is no duration, or not positive.
    """
    name, updates, time = "trainer.max_time", config.trainer.max_updates, config.trainer.max_time
    if updates is None and time is None:
        name, time = "trainer.default_time", config.trainer.default_time
        say(f"stops after {time}; trainer.max_updates=N or trainer.max_time=HH:MM:SS sets another end")
    return Clock(updates, None if time is None else parse_duration(time, name))


def build_module(config: Any, clock: Clock) -> SuperResolution:
    """The training module with all its parts; ``compute`` is chosen here, as adversaries may need float32.

    Raises:
        UserError: a constructor refused its arguments, or the device or the number format cannot be had.
    """
    device, trainer = build_device(config), config.trainer
    # In this order, before anything is moved: whatever is made later draws later from torch's generator.
    groups = ("model", "loss", "optimizer", "schedule", "degradation", "augmentation")
    network, objective, optimizer, schedule, degradation, augmentation = (build(name, config[name]) for name in groups)
    adversaries = build_adversaries(config, build)
    try:
        compute = choose_compute(device, trainer.precision, trainer.channels_last, needs_float32(adversaries))
        for adversary in adversaries.values():
            compute.place(adversary.network)
        module = SuperResolution(
            network=compute.place(network),
            objective=objective.to(device),
            optimizer=optimizer,
            schedule=schedule,
            degradation=degradation,
            augmentation=augmentation,
            clock=clock,
            compute=compute,
            ema=_ema(trainer.ema),
            adversaries=adversaries,
            accumulate=trainer.accumulate,
            clip=trainer.clip,
            seed=config.seed,
            threshold=trainer.guard.threshold,
            parts=_parts(config.parts, network),
        )
        module.configure_optimizers()  # its settings are refused now or when training starts
        return module
    except ValueError as error:
        raise UserError(str(error)) from error


def seed_everything(seed: int) -> None:
    """Initialisation and dropout; the data's draws have their own.

    Raises:
        UserError: the seed does not fit into 64 bits.
    """
    if not -(2**63) <= seed < 2**63:
        raise UserError(f"seed={seed} does not fit into 64 bits; take a smaller number")
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (libraries draw from the global generator)
    torch.manual_seed(seed)


def _parts(node: Any, network: nn.Module) -> Parts:
    plain: Any = OmegaConf.to_container(node, resolve=True)
    return Parts(plain["rates"], plain["freeze"], plain["restart"], example_part(network))


def _ema(decay: float | None) -> Ema | None:
    if decay is None:
        return None
    if not 0 <= decay < 1:
        raise UserError(f"trainer.ema={decay:g} must be at least 0 and below 1, or null for no average")
    return Ema(decay)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{name}={value} is not one of {', '.join(choices)}")
