"""`sr log`: entries, commands, verdicts; the page docs/LOG.md."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sr.config.building import build, build_lpips
from sr.config.composing import composed, configured, plain
from sr.config.experiments import matching, names_of
from sr.config.folder import CONF, config_groups
from sr.config.nearest import did_you_mean
from sr.config.stored import opened
from sr.console import tracked
from sr.errors import UserError
from sr.experiments import measuring
from sr.experiments.claims import Claim, read_claims
from sr.experiments.judging import Judged, judge
from sr.experiments.log_page import Entry, as_json, as_markdown, grouped, header_of, made_of
from sr.experiments.runs import Run, find_runs
from sr.experiments.verdicts import NOT_RUN
from sr.files import write_atomically
from sr.losses import pretrained
from sr.losses.vgg import masked_layers
from sr.pasted import pasted
from sr.verbs.log.training import Job, train_all, wanted, with_parents
from sr.verbs.networks import inference
from sr.verbs.screen.tables import console_for_tables, say
from sr.verbs.train.resume import changes

CLAIMS = CONF / "claims.yaml"
PAGE, DATA, PICTURES = "LOG.md", "log.json", "log"
_FREE = {
    "experiment",
    "init_from",
    "started_from",
    "data.cache",
    "data.workers",
    "trainer.lpips",
    "trainer.devices",
    "logger",
}
"""Settings in which a run of an entry may differ from its file: where it lies, how fast it is, where its parent lay."""


@dataclass(frozen=True)
class Question:
    """What `sr log` is asked.

    Attributes:
        only: numbers or names of entries, or logs; empty for all.
        size: of the runs.
        seeds: that are looked at.
        roots: folders that hold runs.
    """

    only: Sequence[str]
    size: str
    seeds: Sequence[int]
    roots: Sequence[Path]


def show_log(
    question: Question, write: Path | None, json: bool, run: bool, jobs: int, accelerator: str, typed: Sequence[str]
) -> int:
    """Print entries and verdicts; train and write on request.

    Args:
        question: what is asked.
        write: folder of the page, or None.
        json: print the data instead of a table.
        run: train what is missing first.
        jobs: runs side by side.
        accelerator: for measuring: cpu, gpu, mps or auto.
        typed: overrides for all runs that are trained, such as data.cache=DIR.

    Returns:
        The exit code: 1 where a run failed.

    Raises:
        UserError: an entry is unknown, claims are faulty, or the page cannot be written.
    """
    console = console_for_tables(quiet=json)
    claims = _chosen(_claims(), question.only)
    failed = _train(claims, question, jobs, typed, console) if run else []
    runs = _counting(claims, question, console)
    measured = _measured(runs, claims, accelerator, console)
    judged = [_told(judge(claim, runs, lambda one, name: _quantity(measured, one, name)), question) for claim in claims]
    make = partial(_entry, question.size, runs)
    entries = grouped(judged, make)
    if json:
        print(as_json(entries, question.size), end="")
    else:
        _print(console, entries)
    if write is not None:
        _write(write, entries, runs, question, console)
    return 1 if failed else 0


def show_verdicts(folder: Path, experiments: Sequence[str]) -> None:
    """What ends a sweep of experiments: verdicts on their claims, where conf/claims.yaml has any.

    Args:
        folder: of the sweep.
        experiments: that were in it.
    """
    runs = [run for run in find_runs([folder]) if run.experiment in experiments and run.size is not None]
    entries = sorted({claim.entry for claim in _claims()} & {str(run.experiment) for run in runs})
    for size in sorted({str(run.size) for run in runs}) if entries else ():
        seeds = sorted({run.seed for run in runs if run.size == size})
        show_log(Question(entries, size, seeds, [folder, Path("outputs")]), None, False, False, 1, "auto", [])


def _claims() -> list[Claim]:
    experiments = config_groups(CONF)["experiment"]
    return read_claims(CLAIMS, experiments, measuring.measures(), partial(_one, experiments))


def _one(experiments: Sequence[str], reference: str) -> str | None:
    found = matching(reference, experiments)
    return found[0] if len(found) == 1 else None


def _chosen(claims: Sequence[Claim], only: Sequence[str]) -> list[Claim]:
    """Claims of the entries asked for, by number (31), name (log/31_alias), or log (photo_notes).

    Raises:
        UserError: an entry that has none.
    """
    entries = list(dict.fromkeys(claim.entry for claim in claims))
    logs = list(dict.fromkeys(entry.partition("/")[0] for entry in entries))
    chosen = set[str]()
    for name in only:
        full = name if "/" in name else f"log/{name.zfill(2) if name.isdigit() else name.replace('.', '_')}"
        found = [entry for entry in entries if entry.startswith(f"{name}/")] or matching(full, entries)
        if not found:
            numbers = [entry.removeprefix("log/").split("_")[0] for entry in entries if entry.startswith("log/")]
            raise UserError(
                f"--only {name}: the log has no such entry{did_you_mean(full, [*entries, *logs]) or ''}"
                + ("" if "/" in name else f"; entries are {numbers[0]} to {numbers[-1]}, logs {', '.join(logs)}")
            )
        chosen |= set(found)
    return [claim for claim in claims if not only or claim.entry in chosen]


@cache
def _config(entry: str, size: str) -> Any:
    """What the entry's file says today, with interpolations."""
    return composed([f"experiment={entry}", f"size={size}"])


def _train(claims: Sequence[Claim], question: Question, jobs: int, typed: Sequence[str], console: Console) -> list[Job]:
    experiments = config_groups(CONF)["experiment"]
    needed = wanted(claims, question.seeds)
    parents: dict[str, list[str]] = {}
    todo = [entry for entry, _ in needed]
    while todo:
        entry = todo.pop()
        if entry not in parents:
            start = plain(_config(entry, question.size))["init_from"]
            parents[entry] = [name for name in names_of(start, experiments) if name != entry]
            todo += parents[entry]
    there = _counting(claims, question, console, every=True)
    ordered = with_parents(needed, parents, question.seeds[0])
    missing = [(entry, seed) for entry, seed in ordered if seed not in there.get(entry, {})]
    say(console, f"{len(ordered)} runs are needed, {len(ordered) - len(missing)} are there")
    root = question.roots[0] / "log" / question.size
    make = [
        Job(
            entry,
            seed,
            question.size,
            root / f"{entry.removeprefix('log/').replace('/', '_')}_seed{seed}",
            tuple(typed),
        )
        for entry, seed in missing
    ]
    return train_all(make, parents, jobs, partial(say, console))


def _counting(
    claims: Sequence[Claim], question: Question, console: Console, every: bool = False
) -> dict[str, dict[int, Run]]:
    """The newest run of each experiment and seed that counts; what does not count is told.

    Args:
        claims: whose runs are looked for.
        question: what is asked.
        console: told of runs that do not count.
        every: of all experiments, not only those that claims compare.
    """
    named = {entry for claim in claims for entry in (claim.entry, *claim.entries)}
    found: dict[str, dict[int, Run]] = {}
    for run in sorted(find_runs(question.roots), key=lambda run: run.ended):
        name = run.experiment
        if name is None or not (every or name in named) or run.size != question.size or run.seed not in question.seeds:
            continue
        fault = _fault(run, name, question.size)
        if fault:
            say(console, f"{run.folder.path} does not count: {fault}")
        else:
            found.setdefault(name, {})[run.seed] = run
    return found


def _fault(run: Run, entry: str, size: str) -> str:
    """Why a run is none of its entry's; empty where it is."""
    if run.summary is None:
        return "it is running or was cut off; resume=auto goes on with it"
    if not run.finished:
        return f"it was ended before its time ({run.summary['exit_reason']}); resume=auto goes on with it"
    try:
        wants = _config(entry, size).copy()
    except UserError:
        return f"there is no experiment {entry} any more"
    wants.seed = run.seed
    differs = changes(_without(dict(run.config)), _without(plain(wants)))
    return f"its settings are others than those of {entry}: {differs}" if differs else ""


def _without(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what may differ."""
    kept = {key: dict(value) if isinstance(value, Mapping) else value for key, value in config.items()}
    size = kept.get("size")
    kept["size"] = size.get("name") if isinstance(size, Mapping) else size  # what it feeds is compared where it arrives
    for name in _FREE:
        group, _, key = name.partition(".")
        if not key:
            kept.pop(group, None)
        elif isinstance(kept.get(group), dict):
            kept[group].pop(key, None)
    return kept


def _measured(
    runs: Mapping[str, Mapping[int, Run]], claims: Iterable[Claim], accelerator: str, console: Console
) -> dict[Path, dict[str, Any]]:
    """Measures of all runs, taken where they are not there yet."""
    found, without = dict[Path, dict[str, Any]](), []
    for run in (run for by_seed in runs.values() for run in by_seed.values()):
        try:
            kept = measuring.kept(run)
        except UserError as error:
            say(console, f"{run.folder.path} does not count: {error}")
            continue
        if kept is None:
            without.append(run)
        else:
            found[run.folder.path] = kept
    device = inference(accelerator).device
    for run in tracked(without, "measuring runs", console):
        try:
            found[run.folder.path] = _take(run, device, partial(say, console))
        except UserError as error:
            say(console, f"{run.folder.path} does not count: {error}")
    return found


def _take(run: Run, device: Any, tell: Callable[[str], None]) -> dict[str, Any]:
    config = configured(opened(dict(run.config), run.folder.config))
    data, degradation = build("data", config.data), build("degradation", config.degradation)
    sets = data.validation_sets(degradation, lambda *_: None, lambda _: None)
    lpips = build_lpips(config.trainer.lpips, device)
    return measuring.take(run, sets, device, lpips, _noise(data, degradation))


def _noise(data: Any, degradation: Any) -> list[tuple[Path, Path]]:
    """Patches of the world's noise that the run was trained with, each with the frame that it was taken from."""
    pool = getattr(getattr(data, "pools", None), "pool", None)
    if pool is None or not getattr(degradation, "pools", ()):
        return []
    frames = {path.stem: path for path in sorted(pool.world.frames(pool.release).iterdir())}
    patches = sorted((pool.folder / "noise" / "patches").glob("*.png"))
    return [(patch, frames[name]) for patch in patches if (name := patch.stem.removesuffix("_noise")) in frames]


def _told(judged: Judged, question: Question) -> Judged:
    """The verdict with what must be said of VGG16: which part of it was there, or that none is."""
    entries = judged.claim.entries or (judged.claim.entry,)
    used = sorted({feature for entry in entries for feature in _features(_config(entry, question.size).loss)})
    if not used:
        return judged
    whole = sorted({feature for entry in entries for feature in _features(_config(entry, "full").loss)})
    if judged.verdict == NOT_RUN and not all(pretrained.has_some(net) for net, _ in used):
        why = f"needs VGG16, whose weights are neither in the folder that {pretrained.FOLDER} names nor downloaded"
        return replace(judged, reason=f"{judged.reason}; it {why}" if judged.reason else why)
    known = " and ".join(layer for _, layer in used)
    return replace(judged, features=f"VGG16 up to {known} stands for more of it" if used != whole else "")


def _features(loss: Any) -> Iterator[tuple[str, str]]:
    """Feature network and deepest layer of each term that has one."""
    for term in loss.terms.values():
        inner = term.get("loss", {}) if term else {}
        if str(inner.get("_target_", "")).endswith(".Vgg"):
            net, layers = str(inner["net"]), inner["layers"]
            yield net, str((masked_layers(net, layers) if isinstance(layers, int) else layers)[-1])


def _quantity(measured: Mapping[Path, Mapping[str, Any]], run: Run, name: str) -> float | None:
    found = measured.get(run.folder.path)
    return None if found is None else measuring.quantity(found, name)


def _entry(size: str, runs: Mapping[str, Mapping[int, Run]], name: str, judged: Sequence[Judged]) -> Entry:
    words = header_of(CONF / "experiment" / f"{name}.yaml")
    command = pasted("uv", "run", "python", "train.py", f"experiment={name}", f"size={size}")
    shown = _picture(runs.get(name, {}))
    return Entry(name, words, command, judged, None if shown is None else f"{PICTURES}/{_file(name)}.png")


def _picture(by_seed: Mapping[int, Run]) -> Path | None:
    paths = (by_seed[seed].folder.path / measuring.PICTURE for seed in sorted(by_seed))
    return next((path for path in paths if path.exists()), None)


def _file(name: str) -> str:
    return name.removeprefix("log/").replace("/", "_")


def _print(console: Console, entries: Sequence[Entry]) -> None:
    table = Table()
    for column in ("entry", "claim", "verdict", "difference", "seeds"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        for one in entry.judged:
            mean = "" if one.found is None else f"{one.found.mean:+.3g}"
            spread = "" if one.found is None or one.found.deviation is None else f" ± {one.found.deviation:.2g}"
            reason = f" ({one.reason})" if one.reason else ""
            seeds = ", ".join(map(str, one.seeds))
            table.add_row(entry.name, one.claim.says, one.verdict + reason, mean + spread, seeds)
    console.print(table)
    for entry in entries:
        say(console, entry.command)


def _write(
    folder: Path, entries: Sequence[Entry], runs: Mapping[str, Mapping[int, Run]], question: Question, console: Console
) -> None:
    only = [f"--only={','.join(question.only)}"] if question.only else []
    seeds, size = f"--seeds={len(question.seeds)}", f"--size={question.size}"
    command = pasted("uv", "run", "sr", "log", *only, "--run", seeds, size)
    all_runs = [run for by_seed in runs.values() for run in by_seed.values()]
    made = made_of([dict(run.summary or {}) for run in all_runs], question.size, command)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / PAGE, as_markdown(entries, made, DATA).encode())
    write_atomically(folder / DATA, as_json(entries, question.size).encode())
    (folder / PICTURES).mkdir(exist_ok=True)
    for entry in entries:
        source = _picture(runs.get(entry.name, {}))
        if source is not None:
            write_atomically(folder / PICTURES / f"{_file(entry.name)}.png", source.read_bytes())
    say(console, f"written: {folder / PAGE}, {folder / DATA}")
