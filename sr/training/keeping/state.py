"""Everything of a run but RNGs and callbacks, as tensors and plain values, and back."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.optim import Optimizer

from sr.training.contract import Trainable
from sr.training.parts import OTHER_RATES
from sr.training.processes import in_company
from sr.training.steps import plain_optimizers
from sr.types import UserError

_FACTORED = ("row_var", "col_var")
"""Moments of Adafactor, smaller than their parameters."""


def trained_state(module: Trainable) -> dict[str, Any]:
    """What `load_trained_state` takes; tensors are the module's own, not copies."""
    return {
        "clock": module.clock.state_dict(),
        "batches": module.batches,
        "samples": module.samples,
        "rate": module.rate,
        "network": module.network.state_dict(),
        "ema": None if module.ema is None else module.ema.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in plain_optimizers(module)],
        "schedule": module.schedule.state_dict(),
        "parts": module.parts.state_dict(),
        "objective": module.objective.weight_states(),
        "fixed": {name: network.state_dict() for name, network in module.objective.fixed.items()},
        "means": module.means.state_dict(),
        "adversaries": {name: adversary.state_dict() for name, adversary in module.adversaries.items()},
    }


def load_trained_state(module: Trainable, state: dict[str, Any]) -> None:
    """Take back what `trained_state` gave; call it once optimisers exist.

    Raises:
        UserError: the state is of other networks, other adversaries or another kind of optimiser.
    """
    saved_adversaries = dict(state["adversaries"])
    if saved_adversaries.keys() != module.adversaries.keys():
        told = ["none" if not names else ", ".join(names) for names in (saved_adversaries, module.adversaries)]
        raise UserError(
            f"the checkpoint has the adversaries {told[0]}, this configuration {told[1]}; leave adversary out"
        )
    try:
        module.network.load_state_dict(state["network"])
    except RuntimeError as error:
        raise UserError(
            f"the checkpoint holds another network than {type(module.network).__name__}: "
            f"{str(error).splitlines()[1].strip()}"
        ) from error
    for name, adversary in module.adversaries.items():
        adversary.load_state_dict(saved_adversaries[name], module.compute.device)
    module.clock.load_state_dict(state["clock"])
    module.batches, module.samples = int(state["batches"]), int(state["samples"])
    module.rate = float(state.get("rate", 1.0))
    module.position = 0  # states are taken at updates
    if module.ema is not None:
        module.ema.start(module.network)
        if state["ema"] is not None:
            module.ema.load_state_dict(state["ema"])
    module.parts.check_groups(state.get("parts", {}))
    for optimizer, saved in zip(plain_optimizers(module), state["optimizers"], strict=True):
        _load_optimizer(optimizer, saved)
    if state["schedule"].keys() == module.schedule.state_dict().keys():  # another schedule begins afresh
        module.schedule.load_state_dict(state["schedule"])
    module.objective.load_weight_states(state.get("objective", {}))
    module.objective.load_fixed(state.get("fixed", {}))
    if "parts" in state:
        module.parts.load_state_dict(state["parts"])
    # Each process has means of its own and the state those of one: with several, the row begins afresh.
    if not in_company():
        module.means.load_state_dict(state["means"], module.compute.device)


def moved_on(module: Trainable, state: dict[str, Any]) -> dict[str, Any]:
    """An earlier state with what does not go back: time, the place in the data, and what validations have told.

    Args:
        module: as it is now.
        state: what `trained_state` gave.
    """
    now = trained_state(module)
    told = {
        name: earlier | {key: now["adversaries"][name][key] for key in ("schedule", "weight", "shows")}
        for name, earlier in state["adversaries"].items()
    }
    kept = {key: now[key] for key in ("batches", "samples", "rate", "schedule", "objective")}
    return state | kept | {"adversaries": told, "clock": state["clock"] | {"elapsed": now["clock"]["elapsed"]}}


def copied(state: Any, device: torch.device | None = None) -> Any:
    """The same structure with copies of its tensors, where they are or on a device.

    Replayed fakes are shared: nothing changes them in place, and there may be gigabytes of them.
    """
    if isinstance(state, torch.Tensor):
        return state.detach().to(state.device if device is None else device, copy=True)
    if isinstance(state, dict):
        return {key: _shared(value) if key == "replay" else copied(value, device) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(copied(value, device) for value in state)
    return state


def _shared(replay: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {key: list(kept) for key, kept in replay.items()}


def _load_optimizer(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """Restore moments but keep the configured numbers, so that ``optimizer.lr=…`` works on resume."""
    kept = [{k: v for k, v in group.items() if k not in ("params", "lr")} for group in _with_initial(optimizer)]
    if len(kept) != len(saved["param_groups"]):
        raise UserError(OTHER_RATES)
    for new, old in zip(kept, saved["param_groups"], strict=True):
        if new.keys() != old.keys() - {"params", "lr"}:
            raise UserError(
                f"the checkpoint holds the moments of another optimiser than {type(optimizer).__name__}; "
                "leave the optimiser's kind as it was (its numbers may change)"
            )
    optimizer.load_state_dict(saved)
    _check_moments(optimizer)
    for group, values in zip(optimizer.param_groups, kept, strict=True):
        group.update(values)


def _check_moments(optimizer: Optimizer) -> None:
    """Whatever does not fit its parameter would end in the middle of an update.

    Raises:
        ValueError: a moment is missing, of another shape, or no number.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    known = [(parameter, optimizer.state[parameter]) for parameter in parameters if parameter in optimizer.state]
    kinds = {frozenset(moments) for _, moments in known if moments}
    if len(kinds) > 1:
        raise ValueError("some parameters have other moments than others")
    for parameter, moments in known:
        for name, value in moments.items():
            shape = value.shape if isinstance(value, torch.Tensor) else ()
            plain = value is None or isinstance(value, torch.Tensor | int | float)
            if not plain or (len(shape) > 0 and shape != parameter.shape and name not in _FACTORED):
                raise ValueError(f"a moment {name} does not fit a parameter of shape {tuple(parameter.shape)}")


def _with_initial(optimizer: Optimizer) -> Iterator[dict[str, Any]]:
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
        yield group
