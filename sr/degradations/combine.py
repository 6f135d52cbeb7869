"""Stages made of stages: one of several, sometimes one, several in a row, several in random order.

Every choice is made per sample. Samples that meet the same stage are computed together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sr.degradations.pictures import Pictures, to_device
from sr.degradations.pipeline import Stage, regrouped
from sr.draws import Draws

Part = tuple[np.ndarray, Pictures]
"""Positions in the batch, and the pictures that belong there."""


@dataclass(frozen=True)
class OneOf:
    """Each sample meets exactly one of the stages.

    Args:
        weights: how often each stage is chosen, by name; they need not sum to 1.
        stages: by the same names. None leaves the picture as it is.

    Raises:
        ValueError: the names differ, a weight is negative, or all are zero.
    """

    weights: Mapping[str, float]
    stages: Mapping[str, Stage | None]

    def __post_init__(self) -> None:
        if set(self.weights) != set(self.stages):
            raise ValueError(
                f"weights name {', '.join(sorted(self.weights))} and stages name {', '.join(sorted(self.stages))}; "
                "give one weight per stage"
            )
        check_weights("weights", self.weights)

    @property
    def only_in_advance(self) -> bool:
        """One of the stages runs on the CPU only."""
        return _any_in_advance(self.stages)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Apply to each picture the stage that its draw names."""
        names = list(self.stages)
        chosen = draws.choice("choice", [self.weights[name] for name in names])
        draws.note("choice", [names[i] for i in chosen])
        parts = []
        for i, name in enumerate(names):
            positions = np.flatnonzero(chosen == i)
            if len(positions):
                stage, part, scoped = self.stages[name], pictures.at(positions), draws.within(name).at(positions)
                parts.append((positions, part if stage is None else stage(part, scoped)))
        return merged(parts)


@dataclass(frozen=True)
class Maybe:
    """A stage that a sample meets with some probability.

    Args:
        probability: in [0, 1].
        stage: what is then applied.
    """

    probability: float
    stage: Stage

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability={self.probability} must be from 0 to 1")

    @property
    def only_in_advance(self) -> bool:
        """The stage runs on the CPU only."""
        return _any_in_advance({"stage": self.stage})

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Apply the stage to some pictures."""
        met = draws.chance("met", self.probability)
        draws.note("met", met.astype(np.float64))
        if not met.any():
            return pictures
        here, rest = np.flatnonzero(met), np.flatnonzero(~met)
        changed = self.stage(pictures.at(here), draws.within("stage").at(here))
        return merged([(here, changed), (rest, pictures.at(rest))])


@dataclass(frozen=True)
class Chain:
    """Stages one after another, as one stage.

    Args:
        stages: by name, in order; None leaves one out.
    """

    stages: Mapping[str, Stage | None]

    @property
    def only_in_advance(self) -> bool:
        """One of the stages runs on the CPU only."""
        return _any_in_advance(self.stages)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Apply all stages."""
        first = pictures.canvas
        for name, stage in self.stages.items():
            if stage is not None:
                pictures = applied(stage, pictures, draws.within(name), first)
        return pictures


@dataclass(frozen=True)
class Shuffled:
    """Stages in an order drawn per sample, all orders alike (arXiv 2103.14006, section 3.4).

    Samples wait for one another: the stage that most of them need next runs for all of these, so that a batch
    needs few calls. The schedule does not change a sample's result.

    Args:
        stages: by name; None leaves one out.
        keep_order: names of stages that come in this order among themselves, wherever they come among the others.

    Raises:
        ValueError: ``keep_order`` names something that is not among the stages.
    """

    stages: Mapping[str, Stage | None]
    keep_order: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        for name in self.keep_order:
            if name not in self.stages:
                raise ValueError(f"keep_order names {name}, which is not among the stages {', '.join(self.stages)}")

    @property
    def only_in_advance(self) -> bool:
        """One of the stages runs on the CPU only."""
        return _any_in_advance(self.stages)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Apply all stages, to each picture in its own order."""
        stages = {name: stage for name, stage in self.stages.items() if stage is not None}
        names = list(stages)
        order = self._orders(names, draws)
        draws.note("order", [" ".join(names[i] for i in row) for row in order])
        first, done = pictures.canvas, np.zeros(len(pictures), dtype=np.int64)
        waits_for_nothing = len(names)
        while True:
            following = np.append(order, np.full((len(order), 1), waits_for_nothing), axis=1)
            waiting = following[np.arange(len(order)), done]
            counts = np.bincount(waiting, minlength=waits_for_nothing + 1)[:waits_for_nothing]
            if not counts.any():
                return pictures
            name = names[int(counts.argmax())]
            here = np.flatnonzero(waiting == counts.argmax())
            rest = np.setdiff1d(np.arange(len(order)), here)
            changed = applied(stages[name], pictures.at(here), draws.within(name).at(here), first)
            pictures = merged([(here, changed), (rest, pictures.at(rest))])
            done[here] += 1

    def _orders(self, names: list[str], draws: Draws) -> np.ndarray:
        """(batch, stages) positions in ``names``, in the order in which each sample meets them."""
        order = np.argsort(draws.uniform("order", len(names)), axis=1, kind="stable")
        fixed = np.array([names.index(name) for name in self.keep_order if name in names], dtype=np.int64)
        for row in order:
            row[np.isin(row, fixed)] = fixed
        return order


def applied(stage: Stage, pictures: Pictures, draws: Draws, first: tuple[int, int]) -> Pictures:
    """Apply a stage with every picture on the canvas that a pipeline would give it.

    Args:
        stage: what to apply.
        pictures: on canvases that may be larger than they need.
        draws: scoped to the stage.
        first: (height, width) of the canvas with which the stages around this one began.
    """
    groups = regrouped([(np.arange(len(pictures)), pictures)], first)
    return merged([(positions, stage(group, draws.at(positions))) for positions, group in groups])


def merged(parts: Sequence[Part]) -> Pictures:
    """Parts of a batch as one batch again, on the smallest canvas that holds them all.

    Args:
        parts: every position of the batch once; empty parts are left out.
    """
    parts = [(positions, pictures) for positions, pictures in parts if len(positions)]
    batch = sum(len(positions) for positions, _ in parts)
    first = parts[0][1]
    if len(parts) == 1 and np.array_equal(parts[0][0], np.arange(batch)):
        return first
    height = max(pictures.canvas[0] for _, pictures in parts)
    width = max(pictures.canvas[1] for _, pictures in parts)
    pixels = first.pixels.new_zeros(batch, first.pixels.shape[1], height, width)
    heights, widths = np.empty(batch, dtype=np.int64), np.empty(batch, dtype=np.int64)
    for positions, pictures in parts:
        rows, columns = pictures.canvas
        pixels[to_device(positions, pixels.device), :, :rows, :columns] = pictures.pixels
        heights[positions], widths[positions] = pictures.heights, pictures.widths
    return Pictures(pixels, heights, widths, first.lr_size)


def check_weights(name: str, weights: Mapping[str, float]) -> None:
    """Refuse weights of a choice that cannot be drawn from.

    Raises:
        ValueError: there is none, one is negative, or all are zero.
    """
    for key, weight in weights.items():
        if not weight >= 0:
            raise ValueError(f"{name}.{key}={weight} must be at least 0")
    if not sum(weights.values()) > 0:
        raise ValueError(f"{name}={dict(weights)} must hold at least one weight above 0")


def _any_in_advance(stages: Mapping[str, Stage | None]) -> bool:
    return any(getattr(stage, "only_in_advance", False) for stage in stages.values())
