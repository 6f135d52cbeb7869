"""High- and low-resolution stores that belong together."""

import numpy as np

from sr.data.contract import OnMessage
from sr.data.store.store import Store
from sr.errors import UserError


def twin_numbers(hr: Store, lr: Store, scale: int, what: str, refused: float, on_message: OnMessage) -> np.ndarray:
    """Which picture of the low-resolution store is the twin of each high-resolution picture.

    Args:
        hr: high-resolution pictures.
        lr: made from or given beside them; an unreadable file in either leaves its twin alone.
        scale: a twin has height // scale by width // scale pixels.
        what: the pictures' part, for messages.
        refused: the largest share of pictures without a twin, 0..1.
        on_message: told about pictures without a twin.

    Returns:
        (pictures of hr,) int64; -1 where there is none.

    Raises:
        UserError: twins of a wrong size, or too many pictures without a twin.
    """
    by_source = {entry.source: number for number, entry in enumerate(lr.entries)}
    reduced = lr.settings["source"] == "Reduced"
    keys = range(len(hr)) if reduced else [entry.source for entry in hr.entries]
    twins = np.array([by_source.get(key, -1) for key in keys], dtype=np.int64)
    _check_sizes(hr, lr, twins, scale, what)
    alone = np.flatnonzero(twins < 0)
    if len(alone):
        names = ", ".join(hr.entries[i].name for i in alone[:3])
        why = f", being smaller than scale={scale}" if reduced else ""
        count = f"{len(alone)} of {len(hr)} {what} pictures have no low-resolution twin{why} ({names})"
        if len(alone) == len(hr) or (not reduced and len(alone) > refused * len(hr)):
            raise UserError(f"{count}; mend the files, or allow a larger share than data.refused={refused:g}")
        on_message(f"{count}; they are left out")
    return twins


def _check_sizes(hr: Store, lr: Store, twins: np.ndarray, scale: int, what: str) -> None:
    found = np.flatnonzero(twins >= 0)
    partners = twins[found]
    wrong = found[
        (lr.heights[partners] != hr.heights[found] // scale) | (lr.widths[partners] != hr.widths[found] // scale)
    ]
    if not len(wrong):
        return
    lines = [
        f"{lr.entries[twins[i]].name} is {lr.widths[twins[i]]}x{lr.heights[twins[i]]} beside "
        f"{hr.entries[i].name} of {hr.widths[i]}x{hr.heights[i]} "
        f"(x{hr.widths[i] / lr.widths[twins[i]]:.3g} by x{hr.heights[i] / lr.heights[twins[i]]:.3g})"
        for i in wrong[:3]
    ]
    raise UserError(
        f"{len(wrong)} of {len(hr)} {what} pairs do not fit scale={scale}: {'; '.join(lines)}; "
        "set the scale that they have, or make the pairs again"
    )
