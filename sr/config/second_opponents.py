"""Adversaries beside ``d`` take from it, and from ``discriminator``, the parts that they do not name a class for.

So do losses that hold a fixed discriminator.
"""

from collections.abc import Iterator, Mapping
from typing import Any

FIRST = "d"
_SHARED = ("objective", "optimizer", "schedule")
_FIXED = "sr.losses.fixed_discriminator.FixedDiscriminator"
_PARTS = {
    "network": "discriminator",
    "optimizer": "optimizer",
    "schedule": "schedule",
    "objective": None,
    "shows": None,
    "policy": None,
}
"""Of an adversary, with the group that its choices are in."""


def with_shared_parts(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with every part of every adversary, and every fixed discriminator, written out.

    An empty ``network`` becomes a copy of ``discriminator``, which is shown what that adversary shows; an objective,
    optimiser or schedule without ``_target_`` becomes that of ``d``, with its own values on top.

    Args:
        config: plain values, interpolations not resolved.
    """
    adversaries, discriminator = config.get("adversary"), config.get("discriminator")
    whole = {**config, "loss": _with_network(config.get("loss"), discriminator)}
    if not isinstance(adversaries, Mapping):
        return whole
    first = adversaries.get(FIRST)
    written = {
        name: node if name == FIRST or not isinstance(node, Mapping) else _written_out(node, first, discriminator)
        for name, node in adversaries.items()
    }
    return {**whole, "adversary": written}


def fixed_discriminators(loss: Any) -> dict[str, Any]:
    """The network of each loss that holds a fixed discriminator, by the name of its setting.

    Args:
        loss: plain values.
    """
    if not isinstance(loss, Mapping) or not isinstance(loss.get("terms"), Mapping):
        return {}
    losses = {name: term.get("loss") for name, term in loss["terms"].items() if isinstance(term, Mapping)}
    found = {
        name: node for name, node in losses.items() if isinstance(node, Mapping) and node.get("_target_") == _FIXED
    }
    return {f"loss.terms.{name}.loss.network": node.get("network") for name, node in found.items()}


def _with_network(loss: Any, discriminator: Any) -> Any:
    """A fixed discriminator without a class is of the kind of ``discriminator``."""
    empty = [setting.split(".")[2] for setting, network in fixed_discriminators(loss).items() if network == {}]
    if not empty or not discriminator:
        return loss
    terms = dict(loss["terms"])
    for name in empty:
        terms[name] = {**terms[name], "loss": {**terms[name]["loss"], "network": discriminator}}
    return {**loss, "terms": terms}


def _written_out(node: Mapping[str, Any], first: Any, discriminator: Any) -> dict[str, Any]:
    whole = dict(node)
    if node.get("network") == {}:
        whole["network"] = discriminator
    for part in _SHARED:
        source = first.get(part) if isinstance(first, Mapping) else None
        if part in node and _lacks_class(node[part]) and isinstance(source, Mapping):
            whole[part] = {**source, **node[part]}
    return whole


def _lacks_class(part: Any) -> bool:
    return isinstance(part, Mapping) and "_target_" not in part


def first_faults(adversaries: Mapping[str, Any]) -> Iterator[str]:
    """A line where a part of an adversary is a plain value, or of a ``d`` that there is not.

    Args:
        adversaries: plain values by name, as `with_shared_parts` gave them.
    """
    first = adversaries.get(FIRST)
    for name, node in adversaries.items():
        yield from _plain_parts(f"adversary.{name}", node)
        lacks = name != FIRST and isinstance(node, Mapping) and _lacks_class(node.get("objective"))
        if lacks and (not isinstance(first, Mapping) or _lacks_class(first)):
            yield (
                f"adversary.{name} takes its objective from adversary.{FIRST}, and there is none: this choice is an "
                "addition; put an objective in front, as in adversary=[ragan,gradients]"
            )


def _plain_parts(setting: str, node: Any) -> Iterator[str]:
    for part, group in _PARTS.items() if isinstance(node, Mapping) else ():
        value = node.get(part)
        if value is None or isinstance(value, Mapping) or str(value).startswith("${"):
            continue
        by_name = (
            f"a choice is made by {group}@{setting}.{part}=…" + (", or discriminator=…" if part == "network" else "")
            if group
            else f"adversary=… chooses it, and its values have names of their own, {setting}.{part}.…"
        )
        yield f"{setting}.{part}={value} is a plain value in the place of settings: {by_name}"


def fixed_faults(fixed: Mapping[str, Any]) -> Iterator[str]:
    """A line for each fixed discriminator of no kind.

    Args:
        fixed: from `fixed_discriminators`.
    """
    for setting in (setting for setting, network in fixed.items() if not network):
        yield (
            f"{setting} is empty; say of which kind the earlier run's discriminator was: add discriminator@{setting}=… "
            "(such as patchgan)"
        )
