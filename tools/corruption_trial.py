"""Damage picture stores in many ways, use them, and count what happens.

    uv run python tools/corruption_trial.py --trials 1000

Each trial takes a finished or a half-built store of small pictures, flips a bit, zeroes a page, cuts or lengthens a
file, swaps lines of the index, or puts a folder or a dangling link in a file's place; then the store is opened (a
half-built one is gone on with) and every picture is compared with what the source gives. The exit code is 1 where
damage went unseen or anything but a sentence came out.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from sr.data.contract import PictureSource
from sr.data.store.building import open_store
from sr.data.store.store import Store
from sr.errors import UserError
from sr.types import Picture

PAGE = 4096
COUNT = 12


class Noise(PictureSource):
    """A dozen small pictures of noise; the third cannot be read."""

    def stamp(self) -> str:
        """Always the same."""
        return "noise"

    def __len__(self) -> int:
        return COUNT

    def name(self, index: int) -> str:
        """A running number."""
        return f"noise_{index}"

    def read(self, index: int) -> Picture:
        """Draw one picture."""
        if index == 2:
            raise UserError("noise_2 is broken")
        rng = np.random.default_rng(index)
        return Picture(rng.integers(1, 256, (20 + 3 * index, 31, 3), dtype=np.uint8), gray=index % 2 == 0)


class Stop(Exception):
    """Ends a build as a kill would."""


def flip(path: Path, dice: random.Random) -> None:
    """One bit."""
    data = bytearray(path.read_bytes())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def zero_page(path: Path, dice: random.Random) -> None:
    """What a power cut leaves of a page that had not reached the disk."""
    data = bytearray(path.read_bytes())
    start = dice.randrange(len(data)) // PAGE * PAGE
    data[start : start + PAGE] = bytes(len(data[start : start + PAGE]))
    path.write_bytes(data)


def shorten(path: Path, dice: random.Random) -> None:
    """Cut at any byte."""
    os.truncate(path, dice.randrange(path.stat().st_size))


def lengthen(path: Path, dice: random.Random) -> None:
    """Bytes after the end."""
    with path.open("ab") as file:
        file.write(dice.randbytes(dice.randrange(1, PAGE)))


def garble_lines(path: Path, dice: random.Random) -> None:
    """A line missing, or two exchanged (of the pixels: two kilobytes)."""
    data = path.read_bytes()
    lines = (
        data.splitlines(True) if path.suffix == ".jsonl" else [data[i : i + 1024] for i in range(0, len(data), 1024)]
    )
    i, j = dice.sample(range(len(lines)), 2) if len(lines) > 1 else (0, 0)
    if dice.random() < 0.5 or i == j:
        del lines[i]
    else:
        lines[i], lines[j] = lines[j], lines[i]
    path.write_bytes(b"".join(lines))


def become_a_folder(path: Path, dice: random.Random) -> None:
    """A folder of the file's name."""
    path.unlink()
    path.mkdir()


def become_a_link(path: Path, dice: random.Random) -> None:
    """A link that leads nowhere."""
    path.unlink()
    path.symlink_to("nowhere")


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    *(flip, flip, flip, zero_page, zero_page, shorten, lengthen, garble_lines, become_a_folder, become_a_link),
)


def trial(template: Path, half_built: bool, dice: random.Random) -> tuple[str, str]:
    """Damage a copy of a store, and use it.

    Args:
        template: folder with the store.
        half_built: it is one.
        dice: what to damage.

    Returns:
        (kind of damage, outcome).
    """
    root = template.with_name("trial")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root)
    folder = next(path for path in root.iterdir() if path.is_dir())
    target, damage = folder / dice.choice(("pixels.bin", "index.jsonl")), dice.choice(DAMAGES)
    before = target.read_bytes()
    damage(target, dice)
    kind = f"{damage.__name__} of {target.name}"
    if target.is_file() and target.read_bytes() == before:
        return kind, "nothing changed"
    said: list[str] = []
    try:
        store = open_store(Noise(), root, lambda *_: None, said.append, workers=1)
        right = _right(store)
    except UserError as error:
        return kind, f"refused with a sentence: {str(error)[:60]}"
    except Exception as error:
        return kind, f"CRASH: {error!r}"
    if not right:
        return kind, "UNSEEN: wrong pixels"
    if said:
        return kind, "said, and right afterwards"
    return kind, "right afterwards" if half_built else "UNSEEN: right by chance"


def _right(store: Store) -> bool:
    source, numbers = Noise(), [number for number in range(COUNT) if number != 2]
    named = [entry.name for entry in store.entries] == [f"noise_{number}" for number in numbers]
    gray = [entry.gray for entry in store.entries] == [number % 2 == 0 for number in numbers]
    pixels = all(np.array_equal(store.picture(i), source.read(number).pixels) for i, number in enumerate(numbers))
    return named and gray and pixels and [entry.reason for entry in store.refused] == ["noise_2 is broken"]


def built(root: Path, stop_at: int | None) -> Path:
    """A store in a new folder, finished or stopped after so many pictures."""

    def on_progress(done: int, total: int) -> None:
        if done == stop_at:
            raise Stop

    with suppress(Stop):
        open_store(Noise(), root, on_progress, workers=1)
    return root


def main() -> int:
    """Run the trials and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    dice, counts = random.Random(given.seed), Counter[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as temporary:
        finished = built(Path(temporary) / "finished", None)
        halves = [built(Path(temporary) / f"half_{stop}", stop) for stop in (1, 5, COUNT - 1)]
        for number in range(given.trials):
            half_built = number % 2 == 1
            _, outcome = trial(dice.choice(halves) if half_built else finished, half_built, dice)
            counts["half-built" if half_built else "finished", outcome] += 1
    for (what, outcome), count in sorted(counts.items()):
        print(f"{what:12}{count:6}  {outcome}")
    return int(any(outcome.startswith(("CRASH", "UNSEEN")) for _, outcome in counts))


if __name__ == "__main__":
    sys.exit(main())
