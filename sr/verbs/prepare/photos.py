"""`sr prepare photos`: training crops of photographs as numbered PNG files, a thousand per folder."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from sr.config.nearest import did_you_mean
from sr.console import plain_console
from sr.data.kinds.photos import Photos
from sr.data.preparation.near_duplicates import perceptual_hash
from sr.data.preparation.photo_crops import camera_model
from sr.data.preparation.sharding import shard_path
from sr.errors import UserError
from sr.image.io import write_picture
from sr.types import Picture
from sr.verbs.prepare.output import Journal, Steps, counted, journal, tell_failures
from sr.verbs.screen.tables import say


@dataclass(frozen=True)
class _Taken:
    """Crops of one photograph, with their hashes."""

    crops: list[np.ndarray]
    hashes: list[int]
    flat: int


def prepare_photos(
    roots: Sequence[Path], output: Path, settings: dict[str, Any], noisy: Sequence[str] = (), workers: int = 2
) -> None:
    """Write crops to ``output/0/0.png``, ``output/0/1.png`` and so on.

    Args:
        roots: folders of photographs.
        output: folder; photographs that are in already are not read again.
        settings: arguments of `sr.data.kinds.photos.Photos`.
        noisy: camera models whose photographs are halved first.
        workers: threads that decode and encode.

    Raises:
        UserError: a setting out of range, an unknown camera, the folder is not ours, or (after all others are
            done) photographs that cannot be read.
    """
    console = plain_console(soft_wrap=True)
    try:
        source = Photos(root=[str(root) for root in roots], noisy_cameras=noisy, **settings)
    except ValueError as error:
        raise UserError(str(error)) from error
    _tell_cameras(console, source, noisy)
    with journal(output, "photos", {**settings, "noisy": sorted(model.casefold() for model in noisy)}) as done:
        failures = _crop_all(console, source, output, done, workers)
        records = [done.done[name] for name in source.names if name in done.done]
        say(console, _summary(records, len(source), output))
    tell_failures(failures)


def _tell_cameras(console: Console, source: Photos, noisy: Sequence[str]) -> None:
    """Refuse camera models that no photograph names; say how many photographs will be halved."""
    if not noisy:
        return
    models = Counter(model for model in map(camera_model, source.paths) if model)
    folded = Counter({model.casefold(): count for model, count in models.items()})
    for model in noisy:
        if model.strip().casefold() not in folded:
            listed = ", ".join(f"{name} ({count})" for name, count in models.most_common(20)) or "none names a camera"
            hint = did_you_mean(model, models) if models else ""
            raise UserError(f"no photograph was taken by a camera '{model}'{hint}; the photographs' cameras: {listed}")
        say(console, f"halved first: {counted(folded[model.strip().casefold()], 'photograph')} by {model}")


def _crop_all(console: Console, source: Photos, output: Path, done: Journal, workers: int) -> list[str]:
    """Read ahead, sieve in order, write; returns sentences about photographs that cannot be read."""
    sieve = source.sieve()
    failures = []
    number = 0
    for record in done.done.values():  # also of photographs that were there in an earlier run
        number = max(number, record["first"] + record["crops"])
        if sieve is not None:
            for key in record["hashes"]:
                sieve.remember(int(key, 16))
    todo = [index for index, name in enumerate(source.names) if name not in done.done]
    with ThreadPoolExecutor(workers) as pool, Steps(console, "cropping photographs", len(source)) as steps:
        for count, (index, taken) in enumerate(_ahead(pool, source, todo, workers), len(source) - len(todo) + 1):
            steps.done(count)
            if isinstance(taken, str):
                failures.append(taken)
                continue
            kept = [k for k, key in enumerate(taken.hashes) if sieve is None or sieve.admit_hash(key)]
            jobs = [
                pool.submit(_write, output / shard_path(number + position), taken.crops[k])
                for position, k in enumerate(kept)
            ]
            for job in jobs:
                job.result()
            record = {
                "first": number,
                "crops": len(kept),
                "flat": taken.flat,
                "duplicates": len(taken.crops) - len(kept),
                "hashes": [f"{taken.hashes[k]:016x}" for k in kept],
            }
            done.finish(source.name(index), record)
            number += len(kept)
    return failures


def _ahead(
    pool: ThreadPoolExecutor, source: Photos, todo: Sequence[int], workers: int
) -> Iterator[tuple[int, _Taken | str]]:
    """(index, crops or why there are none) in order; only a few photographs are in memory at a time."""
    pending: deque[tuple[int, Future[_Taken | str]]] = deque()
    for index in todo:
        pending.append((index, pool.submit(_take, source, index)))
        if len(pending) > workers:
            first, future = pending.popleft()
            yield first, future.result()
    while pending:
        first, future = pending.popleft()
        yield first, future.result()


def _take(source: Photos, index: int) -> _Taken | str:
    try:
        crops, flat = source.crops(index)
    except UserError as error:
        return str(error)
    return _Taken(crops, [perceptual_hash(crop) for crop in crops], flat)


def _write(path: Path, crop: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, Picture(crop))


def _summary(records: Sequence[dict[str, Any]], photos: int, output: Path) -> str:
    crops, flat, same = (sum(record[key] for record in records) for key in ("crops", "flat", "duplicates"))
    small = sum(record["crops"] + record["flat"] + record["duplicates"] == 0 for record in records)
    tail = f", {counted(small, 'photograph')} smaller than a crop" if small else ""
    return (
        f"{counted(crops, 'crop')} of {counted(photos, 'photograph')}, "
        f"{flat} flat and {same} near-duplicates left out{tail}: {output}"
    )
