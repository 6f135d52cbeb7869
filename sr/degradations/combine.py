"""Stages made of stages: one of several, sometimes one, several in a row, several in random order.

Every choice is made per sample. Samples that meet the same stage are computed together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sr.degradations.pictures import Pictures, write
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
        first, groups = pictures.canvas, [(np.arange(len(pictures)), pictures)]
        for name, stage in self.stages.items():
            if stage is not None:
                groups = applied(stage, groups, draws.within(name), first)
        return merged(groups)


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
        first, groups = pictures.canvas, settled([(np.arange(len(pictures)), pictures)])
        for i, here in schedule(order):
            taken, left = parted(groups, here)
            groups = settled(applied(stages[names[i]], taken, draws.within(names[i]), first) + left)
        return merged(groups)

    def _orders(self, names: list[str], draws: Draws) -> np.ndarray:
        """(batch, stages) positions in ``names``, in the order in which each sample meets them."""
        order = np.argsort(draws.uniform("order", len(names)), axis=1, kind="stable")
        fixed = np.array([names.index(name) for name in self.keep_order if name in names], dtype=np.int64)
        for row in order:
            row[np.isin(row, fixed)] = fixed
        return order


def schedule(order: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Who meets which stage when: always the stage that most samples need next, for all of these.

    Args:
        order: int64 (batch, stages), in which each sample meets the stages.

    Returns:
        Stage and positions in the batch, in turn; every sample meets every stage once.
    """
    batch, stages = order.shape
    following = np.append(order, np.full((batch, 1), stages), axis=1)
    done, steps = np.zeros(batch, dtype=np.int64), []
    while (done < stages).any():
        waiting = following[np.arange(batch), done]
        most = int(np.bincount(waiting, minlength=stages + 1)[:stages].argmax())
        here = np.flatnonzero(waiting == most)
        done[here] += 1
        steps.append((most, here))
    return steps


def applied(stage: Stage, groups: list[Part], draws: Draws, first: tuple[int, int]) -> list[Part]:
    """Apply a stage with every picture on the canvas that a pipeline would give it.

    Args:
        stage: what to apply.
        groups: on canvases that may be larger than they need.
        draws: of the whole batch, scoped to the stage.
        first: (height, width) of the canvas with which the stages around this one began.
    """
    return [(positions, stage(group, draws.at(positions))) for positions, group in regrouped(groups, first)]


def parted(groups: list[Part], here: np.ndarray) -> tuple[list[Part], list[Part]]:
    """The pictures at some positions of the batch, and the others."""
    chosen = np.zeros(sum(len(positions) for positions, _ in groups), dtype=bool)
    chosen[here] = True
    taken: list[Part] = []
    left: list[Part] = []
    for positions, pictures in groups:
        inside = chosen[positions]
        if inside.all() or not inside.any():
            (taken if inside[0] else left).append((positions, pictures))
            continue
        taken.append((positions[inside], pictures.at(inside)))
        left.append((positions[~inside], pictures.at(~inside)))
    return taken, left


def settled(groups: list[Part]) -> list[Part]:
    """Where pictures wait while others are computed: together, or each by itself, which copies none."""
    if groups[0][1].together:
        batch = sum(len(positions) for positions, _ in groups)
        return [(np.arange(batch), merged(groups))]
    return [(positions[i : i + 1], pictures.only(i)) for positions, pictures in groups for i in range(len(positions))]


def merged(parts: Sequence[Part]) -> Pictures:
    """Parts of a batch as one batch again, on the smallest canvas that holds them all.

    Args:
        parts: every position of the batch once; empty parts are left out.
    """
    parts = [(positions, pictures) for positions, pictures in parts if len(positions)]
    batch = sum(len(positions) for positions, _ in parts)
    first = parts[0][1]
    if len(parts) == 1 and np.array_equal(parts[0][0], np.arange(batch)):
        return first.trimmed()
    heights, widths = np.empty(batch, dtype=np.int64), np.empty(batch, dtype=np.int64)
    for positions, pictures in parts:
        heights[positions], widths[positions] = pictures.heights, pictures.widths
    pixels = first.pixels.new_zeros(batch, first.pixels.shape[1], int(heights.max()), int(widths.max()))
    for positions, pictures in parts:
        write(pixels, positions, pictures.trimmed().pixels)
    return first.with_sizes(pixels, heights, widths)


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
