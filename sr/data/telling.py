"""What the user should know of the pictures before a run trains on them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sr.data.contract import OnMessage, PictureSource
from sr.data.crops import Small
from sr.data.doctor.verdict import TEST_SETS
from sr.data.kinds.listed import Listed
from sr.data.kinds.scaled import Scaled
from sr.data.kinds.sized import Sized
from sr.data.kinds.sources import Folder
from sr.data.kinds.split import Split
from sr.data.sets import Sides
from sr.data.store.store import Store
from sr.files import real_path
from sr.types import UserError


def warn_of_test_sets(source: PictureSource, on_message: OnMessage) -> None:
    """Name the test set that pictures for training lie in."""
    for index in range(len(source)):
        parts = [part.lower() for part in Path(source.name(index)).parts]
        found = next((part for part in parts if part in TEST_SETS), None)
        if found is not None:
            on_message(
                f"training pictures lie in a folder called {found}, a test set of the literature "
                f"({source.name(index)}): numbers measured on it will mean nothing"
            )
            return


def warn_of_shared(trained: Iterable[PictureSource], sets: Mapping[str, Sides], on_message: OnMessage) -> None:
    """Name validation pictures that are trained on too, as far as their files' paths tell.

    Args:
        trained: all that a run learns from: high resolution, low resolution without a truth, other real pictures.
        sets: validation sets by name, of which either side may be trained on.
        on_message: told.
    """
    known = set[Path]().union(*map(files_of, trained))
    for name, sides in sets.items():
        for side in (sides.hr, sides.lr):
            own = set() if side is None else files_of(side)
            shared = sorted(own & known)
            if shared:
                setting = f"data.val.{name}" if name else "data.val"
                on_message(
                    f"{len(shared)} of {len(own)} pictures of {setting} are trained on too ({shared[0]}): what is "
                    f"measured on them flatters; keep them out of data.train, or name others with {setting}=DIR"
                )
                break


def files_of(source: PictureSource) -> set[Path]:
    """Where the pictures of folders lie, links followed; none of other sources, whose names are no paths."""
    if isinstance(source, Folder | Listed):
        return {real_path(path) for path in source.paths}
    if isinstance(source, Scaled | Sized):
        return files_of(source.source)
    if isinstance(source, Split) and isinstance(source.source, Folder | Listed):
        return {real_path(Path(source.name(index))) for index in range(len(source))}
    return set()


def about_small(names: list[str], small: Small, total: int) -> str:
    """Which of ``total`` pictures are smaller than the crop, and what is done with them."""
    what = "padded by reflection" if small == "pad" else "skipped"
    return (
        f"{len(names)} of {total} pictures are smaller than the crop and are {what} "
        f"({', '.join(names[:3])}{', …' if len(names) > 3 else ''}); data.small=pad|skip chooses"
    )


def tell_of_animations(store: Store, what: str, on_message: OnMessage) -> None:
    """Name files of which only the first frame is used."""
    names = [entry.name for entry in store.entries if entry.moving]
    if names:
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        on_message(
            f"{len(names)} of {len(store)} {what} pictures are animations or have several pages; only the first "
            f"frame is used ({shown})"
        )


def judge_refused(store: Store, what: str, setting: str, limit: float, on_message: OnMessage) -> None:
    """Tell which pictures of a store cannot be used.

    Args:
        store: opened.
        what: the pictures' part, for messages.
        setting: that names other pictures, such as ``data.val``.
        limit: the largest share, 0..1, with which training still starts.
        on_message: told.

    Raises:
        UserError: none is left, or more than the limit are refused.
    """
    refused, total = store.refused, len(store.refused) + len(store)
    if not refused:
        return
    examples = "; ".join(entry.reason for entry in refused[:3]) + ("; …" if len(refused) > 3 else "")
    count = f"{len(refused)} of {total} {what} pictures cannot be used: {examples}"
    if len(refused) > 3:
        count += f" (all are in {store.folder / 'index.jsonl'})"
    if len(store) == 0:
        raise UserError(f"{count}. None is left; name other pictures with {setting}=DIR")
    if len(refused) > limit * total:
        raise UserError(f"{count}. Take them out, or allow a larger share than data.refused={limit:g}")
    on_message(count)
