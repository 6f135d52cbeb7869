"""A feature net and the loss that teaches it must speak of one layer of one VGG: shapes alone do not tell."""

from collections.abc import Iterator, Mapping
from typing import Any

_NETWORK = "sr.models.feature_net.FeatureNet"
_TEACHER = "sr.losses.features.PredictedFeatures"


def feature_faults(model: Mapping[str, Any], loss: Mapping[str, Any]) -> Iterator[str]:
    """A line for each setting in which the two differ.

    Args:
        model: resolved.
        loss: resolved.
    """
    terms = loss.get("terms")
    if model.get("_target_") != _NETWORK or not isinstance(terms, Mapping):
        return
    for name, term in terms.items():
        teacher = term.get("loss") if isinstance(term, Mapping) else None
        if not isinstance(teacher, Mapping) or teacher.get("_target_") != _TEACHER:
            continue
        for key in ("net", "layer"):
            if model.get(key) != teacher.get(key):
                setting = f"loss.terms.{name}.loss.{key}"
                yield (
                    f"model.{key}={model.get(key)} and {setting}={teacher.get(key)}: a feature net predicts the layer "
                    f"that its loss compares; set both to one value, as in {setting}={model.get(key)}"
                )
