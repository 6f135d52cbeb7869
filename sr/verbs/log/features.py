"""What must be said of VGG16 beside a verdict: which part of it was there, or that none is."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from sr.config.experiments import at_size
from sr.experiments.judging import Judged
from sr.experiments.verdicts import NOT_RUN
from sr.losses import pretrained
from sr.losses.vgg import masked_layers


def with_features(judged: Judged, size: str) -> Judged:
    """The verdict, with the feature network that its runs learn from where it is not the log's.

    Args:
        judged: a claim.
        size: of the runs.
    """
    entries = judged.claim.entries or (judged.claim.entry,)
    used, whole = ({one for entry in entries for one in _features_of(entry, s)} for s in (size, "full"))
    if judged.verdict == NOT_RUN and not all(pretrained.has_some(net) for net, _ in used):
        why = f"needs VGG16, whose weights are neither in the folder that {pretrained.FOLDER} names nor downloaded"
        return replace(judged, reason=f"{judged.reason}; it {why}" if judged.reason else why)
    if whole and not used:
        return replace(judged, features="random features stand for those of VGG16")
    if used == whole:
        return judged
    known = " and ".join(layer for _, layer in sorted(used))
    return replace(judged, features=f"VGG16 up to {known} stands for more of it")


@cache
def _features_of(entry: str, size: str) -> frozenset[tuple[str, str]]:
    return frozenset(features(at_size(entry, size).loss))


def features(loss: Any) -> Iterator[tuple[str, str]]:
    """Feature network and deepest layer of each term that has one with weights that somebody trained.

    Args:
        loss: the node of the configuration.
    """
    for term in loss.terms.values():
        inner = term.get("loss", {}) if term else {}
        if str(inner.get("_target_", "")).endswith(".Vgg") and inner.get("weights") != "random":
            net, layers = str(inner["net"]), inner["layers"]
            yield net, str((masked_layers(net, layers) if isinstance(layers, int) else layers)[-1])
