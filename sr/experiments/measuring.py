"""What is measured of a finished run: its last network on its validation sets, and what its training said.

Kept in the run's folder, so that a page of verdicts is made again from the folders alone. The last network counts, not
the best one: choosing by a metric would favour whatever that metric sees.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sr.data.pairs import ValidationPair
from sr.errors import UserError
from sr.experiments.baseline import baseline, is_aligned
from sr.experiments.places import without_places
from sr.experiments.runs import Run, columns, read_json
from sr.files import write_atomically
from sr.image.depth import to_uint8
from sr.image.io import read_picture, to_image, write_picture
from sr.metrics.block_error import block_error
from sr.metrics.edges import edge_slope, ringing
from sr.metrics.line_width import line_width
from sr.metrics.noise import content_in_noise, flat_noise
from sr.metrics.robustness import robustness
from sr.models.files import load_network
from sr.models.translators import generator_to, is_translator
from sr.models.upscale import NotFiniteError, upscale_pixels
from sr.training.columns import CYCLE, IDENTITY, METRICS, OTHERS, PERCEPTUAL, SHIFT, WATCHED
from sr.training.panels import strip
from sr.training.perceptual import Perceptual
from sr.training.translation import TO_A, TO_B
from sr.training.validation import measure_pair
from sr.types import Image, Picture

VERSION = 2
"""Of what is measured: a file of another version is measured anew."""
FILE, PICTURE = "measures.json", "measures.webp"
UNNAMED = "val"
"""Name of a validation set that has none."""
_LAST = 0.2  # share of the run whose losses of the discriminator are averaged
_WON = 0.3  # loss with which a discriminator has won: 86 % sure of both; undecided, it has 1.39
_LARGEST = 1e30  # of what is compared; losses of runs that explode are far below
_SHOWN = 120  # side of the pictures shown beside an entry

Measure = Callable[[Image, Image], Tensor]
"""Of (super-resolved, true) pictures, (1, 3, height, width) in [0, 1]: one value."""

OWN: dict[str, Measure] = {
    "edge_slope": edge_slope,
    "ringing": ringing,
    "line_width": line_width,
    "flat_noise": flat_noise,
    "block_error": block_error,
}
"""Measured for claims only, beside what validation measures."""
OF_RUN = (
    "updates",
    "explosions",
    "largest_total",
    "rest_share",
    "d_loss",
    "d_won",
    "noise_content",
    "wobble",
    "g_left",
    "pace",
    *CYCLE,
    IDENTITY,
    SHIFT,
    "mesh",
)
"""Of a run itself: ``ENTRY.run.NAME``. ``d_loss`` and ``d_won`` are of the discriminator's loss as it would be beside
hard labels (`_opposed`); `wobble` is of PSNR (Y), or of the cycle's for a network that translates; `left` of what the
generator minimises is ``g_left``; ``pace`` are updates per second. Of networks that translate alone, at the last
validation: those of `sr.training.columns`, and ``mesh``, the checkerboard of what they make."""
WORST = "worst_lpips"
"""Of a set: LPIPS of the picture that has most of it."""
_GAINS = {"gain": ("psnr_y", 1), "lpips_gain": ("lpips", -1)}
"""Of what, and which way is better."""
DERIVED = ("robustness", *_GAINS)
"""``robustness``: of PSNR (RGB), from a set and its twins with more noise; the others: better by than `baseline`."""
_NOISIER = {1.0: "", 2.0: "_noise2", 3.0: "_noise3"}


def measures() -> tuple[str, ...]:
    """Names of all measures that a claim may compare."""
    return (*METRICS, *OTHERS, *WATCHED, *PERCEPTUAL, WORST, *OWN, *OF_RUN, *DERIVED)


def key(run: Run) -> dict[str, str | None]:
    """What the measures of a run depend on: its network (None where it is gone), its validation pictures, this code."""
    data = run.config.get("data", {})
    named = {name: data.get(name) for name in ("val", "val_lr", "val_pictures", "reference", "target_video")}
    named = without_places(named, ("cache",))
    beside = ["aligned"] if is_aligned(run.config) else []
    pictures = json.dumps([VERSION, named, *beside], sort_keys=True, default=str).encode()
    return {
        "network": _digest(run.folder.last.read_bytes()) if run.folder.last.exists() else None,
        "pictures": _digest(pictures),
    }


def adopted(measured: Any, record: Run) -> bytes:
    """The measures of a run as the file of its record, whose configuration may name another home.

    Args:
        measured: from `FILE` of the run.
        record: with the configuration as it is published.
    """
    own = {"pictures": key(record)["pictures"]}
    return _as_file(measured | {"key": measured["key"] | own})


def _as_file(measured: Any) -> bytes:
    return (json.dumps(measured, indent=1) + "\n").encode()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def kept(run: Run) -> dict[str, Any] | None:
    """Measures of a run as they were kept; None where there are none, or they are of something else.

    What its training said costs nothing to read, so it is read anew, where it is still there. A network that is gone
    (deleted, or left out of what is published) is believed to be the measured one.

    Raises:
        UserError: that cannot be read.
    """
    found = read_json(run.folder.path / FILE)
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), dict) for name in ("key", "sets", "bicubic", "run")
    ):
        return None
    if any(value not in (None, found["key"].get(name)) for name, value in key(run).items()):
        return None
    return found | {"run": found["run"] | of_training(run)} if run.folder.metrics.exists() else found


def take(
    run: Run,
    sets: Mapping[str, Sequence[ValidationPair]],
    device: torch.device,
    lpips: Perceptual | None,
    noise: Sequence[tuple[Path, Path]] = (),
    bicubic_of_sets: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure a run, and keep it in its folder.

    Args:
        run: that has ended.
        sets: its validation pictures by name, the main set first.
        device: where to compute.
        lpips: measures that too, or None.
        noise: patches that it was trained with, each with the frame that it was taken from.
        bicubic_of_sets: what another run's measures say of `baseline` on the same sets; None measures it.

    Raises:
        UserError: its network is gone or cannot be read, or its folder cannot be written.
    """
    if not run.folder.last.exists() and (run.finished or not run.folder.metrics.exists()):
        raise UserError("its network is gone, and what was measured of it is of another version; train it anew")
    measured: dict[str, Any] = {"key": key(run), "sets": {}, "bicubic": {}, "run": of_training(run)}
    measured["run"]["noise_content"] = _mean([_content(*pair) for pair in noise]) if noise else None
    if run.folder.last.exists():
        network, _ = load_network(run.folder.last)
        network = network.to(device).eval()
        bicubic = baseline(run.config).to(device)
        for name, pairs in sets.items():
            measured["sets"][name or UNNAMED] = _means(_for_set(network, name), pairs, device, lpips)
            known = (bicubic_of_sets or {}).get(name or UNNAMED)
            measured["bicubic"][name or UNNAMED] = known or _means(bicubic, pairs, device, lpips)
        first, pairs = next(iter(sets.items()))
        _show(run.folder.path / PICTURE, bicubic, _for_set(network, first), pairs[0], device)
    write_atomically(run.folder.path / FILE, _as_file(measured))
    return measured


def quantity(measured: Mapping[str, Any], name: str) -> float | None:
    """A measure by its name in a claim; None where it was not taken or is not finite.

    Args:
        measured: what `take` gave.
        name: ``SET.METRIC``, ``run.NAME``, or a derived one.
    """
    group, _, metric = name.rpartition(".")

    def of(table: Any, metric: str) -> float | None:
        return _number(table.get(metric)) if isinstance(table, Mapping) else None

    sets = measured["sets"]
    if metric == "robustness":
        found = {times: of(sets.get(f"{group}{name}"), "psnr_rgb") for times, name in _NOISIER.items()}
        known = {times: value for times, value in found.items() if value is not None}
        return robustness(known) if len(known) == len(found) else None
    if metric in _GAINS:
        metric, better = _GAINS[metric]
        reached, bicubic = of(sets.get(group), metric), of(measured["bicubic"].get(group), metric)
        return None if reached is None or bicubic is None else better * (reached - bicubic)
    return of(measured["run"] if group == "run" else sets.get(group), metric)


def _number(value: Any) -> float | None:
    """None for what is none that can be computed with: the file may be anybody's, and true is a number to Python."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
    return float(value) if usable else None


def of_training(run: Run) -> dict[str, float | None]:
    """What a run's metrics.csv says: see `OF_RUN`.

    Raises:
        UserError: it cannot be read.
    """
    try:
        table = columns(run)
    except UserError:
        if run.folder.metrics.exists():
            raise
        table = {}
    totals = [value for value in table.get("train/g/total", ()) if math.isfinite(value)]
    rests = [value for value in table.get("train/d/throttled", ()) if math.isfinite(value)]
    paces = [value for value in table.get("train/updates_per_second", ()) if math.isfinite(value)]
    steady = CYCLE[0] if f"val/{CYCLE[0]}" in table else "psnr_y"
    opposed = _opposed(table, _undecided(run.config))
    return {
        "updates": run.updates,
        "explosions": float(run.exploded),
        "largest_total": max(totals, default=None),
        "rest_share": float(np.mean(rests)) if rests else None,
        "d_loss": float(np.mean(opposed[-math.ceil(len(opposed) * _LAST) :])) if opposed else None,
        "wobble": wobble([value for value in table.get(f"val/{steady}", ()) if math.isfinite(value)]),
        "g_left": left(totals),
        "d_won": float(np.mean([loss < _WON for loss in opposed])) if opposed else None,
        "pace": float(np.median(paces)) if paces else None,
        **({} if steady == "psnr_y" else _there_and_back(table)),
    }


def _there_and_back(table: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
    """What the last validation of a network that translates says."""
    named = {name: name for name in (*CYCLE, IDENTITY, SHIFT)} | {"mesh": "checkerboard"}
    found = {name: [v for v in table.get(f"val/{column}", ()) if math.isfinite(v)] for name, column in named.items()}
    return {name: values[-1] if values else None for name, values in found.items()}


def _for_set(network: nn.Module, name: str) -> nn.Module:
    """The network, or of one that translates the generator whose results a set has the truth of."""
    if is_translator(network) and name in (TO_A, TO_B):
        return generator_to(network, "a" if name == TO_A else "b")
    return network


def _opposed(table: Mapping[str, Sequence[float]], undecided: float) -> list[float]:
    """The discriminator's loss, row by row, as beside hard labels: 0 is won and `undecided` stays what it is.

    Labels between real and fake cost the best discriminator their ``floor``, and an undecided one as much as hard
    ones do, so that neither the loss nor its distance to the floor compares by itself.
    """
    totals = table.get("train/d/total", ())
    floors = table.get("train/d/floor", [0.0] * len(totals))
    rows = [(total, floor) for total, floor in zip(totals, floors, strict=True) if math.isfinite(total)]
    return [(total - floor) / (1 - floor / undecided) for total, floor in rows]


def _undecided(config: Mapping[str, Any]) -> float:
    """The cross entropy of a discriminator that gives 0 for all: of real and fake, or a mean of three thirds."""
    adversary = config.get("adversary")
    d = adversary.get("d") if isinstance(adversary, Mapping) else None
    thirds = isinstance(d, Mapping) and bool(d.get("mismatched"))
    return math.log(2) * (1 if thirds else 2)


def wobble(values: Sequence[float]) -> float | None:
    """How far the second half goes to and fro; None of fewer than four values.

    The mean change between neighbours beyond what leads from its first to its last value: a steady way up has none.

    Args:
        values: of one validation after another.
    """
    late = np.array(values[len(values) // 2 :])
    if len(values) < 4:
        return None
    return float((np.abs(np.diff(late)).sum() - abs(late[-1] - late[0])) / (len(late) - 1))


def left(values: Sequence[float]) -> float | None:
    """Mean of the last fifth by that of the first; None of fewer than two values, or of a first that is not positive.

    Args:
        values: of a loss, in order.
    """
    count = math.ceil(len(values) * _LAST)
    first = float(np.mean(values[:count])) if len(values) > 1 else 0.0
    return float(np.mean(values[-count:])) / first if first > 0 else None


def _means(
    network: nn.Module, pairs: Sequence[ValidationPair], device: torch.device, lpips: Perceptual | None
) -> dict[str, float | None]:
    rows = []
    for pair in pairs:
        try:
            sr = upscale_pixels(network, pair.lr, device, pair.gray)
        except NotFiniteError:
            return {}
        scale = pair.hr.shape[0] // pair.lr.shape[0]
        row = measure_pair(sr, pair, scale) | ({} if lpips is None else {"lpips": lpips(sr, pair.hr)})
        views = to_image(sr), to_image(np.array(pair.hr))
        with torch.no_grad():
            rows.append(row | {name: float(function(*views)) for name, function in OWN.items()})
    found = [row["lpips"] for row in rows if math.isfinite(row.get("lpips", math.nan))]
    worst = {} if lpips is None else {WORST: max(found, default=None)}
    return {name: _mean([row[name] for row in rows]) for name in rows[0]} | worst


def _content(patch: Path, frame: Path) -> float:
    """Correlation of a noise patch with the edges of its frame, see `sr.metrics.noise.content_in_noise`."""
    views = (to_image(to_uint8(read_picture(path).pixels)) for path in (patch, frame))
    return float(content_in_noise(*views))


def _mean(values: Sequence[float]) -> float | None:
    """Over pictures that have the measure: one without a flat area has no noise there."""
    found = [value for value in values if not math.isnan(value)]
    mean = float(np.mean(found)) if found else math.nan
    return mean if math.isfinite(mean) else None


def _show(path: Path, bicubic: nn.Module, network: nn.Module, pair: ValidationPair, device: torch.device) -> None:
    try:
        enlarged, sr = (upscale_pixels(one, pair.lr, device, pair.gray) for one in (bicubic, network))
    except NotFiniteError:
        return
    write_picture(path, Picture(strip(enlarged, sr, np.asarray(pair.hr), _SHOWN)))
