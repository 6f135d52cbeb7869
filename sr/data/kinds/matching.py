"""Which low-resolution file belongs to which high-resolution file: by name, tolerant of the usual suffixes."""

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image as pil

from sr.data.contract import OnProgress
from sr.errors import UserError
from sr.files import real_path
from sr.image.io import find_pictures
from sr.image.names import as_one, composed, told_apart

_SHOWN = 3  # files named in a message
_MOST = 4  # endings that one name carries
_ROTATED = range(5, 9)  # EXIF orientations that exchange width and height
_ORIENTATION = 274

Form = Callable[[str], str]


@dataclass(frozen=True)
class Pair:
    """Two files of one scene.

    Attributes:
        name: path of the high-resolution file below its folder.
        hr: the high-resolution file.
        lr: the low-resolution file.
    """

    name: str
    hr: Path
    lr: Path


def matched(hr_folder: str | Path, lr_folder: str | Path, scale: int, what: str = "") -> list[Pair]:
    """Pair the pictures of two folders by name, through all levels.

    Case, extension and Unicode's forms do not matter, unless two names differ in nothing else. Endings that say which
    side or scale a file is of (x2, _x2, x4m, _LR, _LR2, -hr, _GT, _SRF_2) and leading folders are taken away only as
    far as that makes names meet, and only where they then meet exactly once.

    Args:
        hr_folder: high-resolution pictures.
        lr_folder: low-resolution pictures.
        scale: that the endings may name.
        what: the pictures' part, such as ``training``, for messages.

    Returns:
        The pairs in the order of the high-resolution files.

    Raises:
        UserError: a folder is missing or empty, or a file on either side has no partner.
    """
    hr_root, lr_root = Path(hr_folder).expanduser(), Path(lr_folder).expanduser()
    hr, lr = _relative(hr_root), _relative(lr_root)
    if real_path(hr_root) == real_path(lr_root):  # as RealSR comes: both in one folder
        hr, lr = sides_of(hr, scale)
    partner = _partners(hr, lr, _forms(scale))
    unmatched_hr = [name for name in hr if name not in partner]
    taken = set(partner.values())
    unmatched_lr = [name for name in lr if name not in taken]
    if unmatched_hr or unmatched_lr:
        raise UserError(_mismatch(hr_root, lr_root, hr, lr, unmatched_hr, unmatched_lr, what))
    return [Pair(name, hr_root / name, lr_root / partner[name]) for name in hr]


def match_names(hr: Sequence[str], lr: Sequence[str], scale: int) -> dict[str, str]:
    """The low-resolution name of each high-resolution name that has exactly one, by the rules of `matched`."""
    return _partners(hr, lr, _forms(scale))


def check_sizes(
    pairs: Sequence[Pair],
    scale: int,
    crop: bool,
    what: str,
    on_progress: OnProgress,
    cure: str = "data.fix=crop cuts both to what they share",
) -> None:
    """Compare the sizes in the files' headers. Files whose header cannot be read are left to the store.

    Args:
        pairs: of files.
        scale: that they should have: the low-resolution side is the high-resolution one // scale.
        crop: allow sides that differ by less than one low-resolution pixel in either direction.
        what: the pictures' part, for messages.
        on_progress: told (what, pairs done, pairs in all).
        cure: what to do where less than a low-resolution pixel is wrong.

    Raises:
        UserError: pairs do not fit; the first few are listed with the scale that they have.
    """
    wrong, close = [], True
    for done, pair in enumerate(pairs, 1):
        hr, lr = header_size(pair.hr), header_size(pair.lr)
        on_progress(f"comparing sizes of {what} pairs", done, len(pairs))
        if hr is None or lr is None or lr == (hr[0] // scale, hr[1] // scale):
            continue
        near = all(abs(h - n * scale) < scale for h, n in zip(hr, lr, strict=True))
        if not (crop and near):
            wrong.append(f"{pair.name}: {_about_size(hr, lr, scale)}")
            close = close and near
    if not wrong:
        return
    advice = cure if close else "set the scale that they have, or mend the files"
    shown = "; ".join(wrong[:_SHOWN]) + ("; …" if len(wrong) > _SHOWN else "")
    raise UserError(f"{len(wrong)} of {len(pairs)} {what} pairs do not fit scale={scale}: {shown}; {advice}")


def header_size(path: Path) -> tuple[int, int] | None:
    """Height and width of an upright picture by its header alone; None where it cannot be read."""
    try:
        with pil.open(path) as file:
            width, height = file.size
            # Only in these formats: asking a PNG for EXIF decodes it, and a TIFF's size is turned already.
            asked = file.format in ("JPEG", "MPO", "WEBP")
            turned = asked and file.getexif().get(_ORIENTATION) in _ROTATED
    except (OSError, ValueError, SyntaxError, pil.DecompressionBombError):
        return None
    return (width, height) if turned else (height, width)


def _relative(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find_pictures(root)]


def sides_of(names: Sequence[str], scale: int) -> tuple[list[str], list[str]]:
    """High- and low-resolution names of one folder, by their endings; all on both sides where these tell nothing.

    Low-resolution files of other scales are on neither.
    """
    stems = {name: as_one(PurePosixPath(name).stem) for name in names}
    high = [name for name, stem in stems.items() if re.search(r"[ _.-](hr|hq|gt|high)$", stem)]
    low = [name for name, stem in stems.items() if re.search(rf"[ _.-](l[rq][ _-]?(x?{scale})?|low)$", stem)]
    return (high, low) if high and low else (list(names), list(names))


def _endings(scale: str) -> re.Pattern[str]:
    """Endings such as _x2, _LR, -HR, _LR2 (RealSR), _SRF_2, and DIV2K's x4m (mild), x4d (difficult), x4w1 (wild)."""
    sides = rf"srf[ _-]?{scale}|[lh][rq][ _-]?(x?{scale})?|gt|low|high|bicubic"
    return re.compile(rf"[ _.-]?(x{scale}([md]|w\d?)?|(?<=[ _.-])({sides}))$")


def _forms(scale: int) -> list[tuple[Form, Form]]:
    """(form of HR names, form of LR names), from the strictest to the most tolerant."""
    own, any_scale = _endings(str(scale)), _endings(r"\d")

    def parts(name: str) -> tuple[str, str]:
        folder, _, stem = as_one(name).rpartition(".")[0].rpartition("/")
        return folder, stem

    def bare(stem: str, times: int, ending: re.Pattern[str] = own) -> str:
        for _ in range(times):
            stem = ending.sub("", stem).rstrip(" _.-") or stem
        return stem

    def whole(name: str) -> str:
        return "/".join(parts(name))

    def without(times: int) -> Form:
        return lambda name: f"{parts(name)[0]}/{bare(parts(name)[1], times)}"

    def file_alone(name: str) -> str:
        return bare(parts(name)[1], _MOST)

    def of_another_scale(name: str) -> str:  # they meet here, so that the sizes tell what is wrong
        return bare(parts(name)[1], _MOST, any_scale)

    same: list[tuple[Form, Form]] = [(form, form) for form in (str, composed, as_one, whole)]
    strict = [*same, (whole, without(1)), (whole, without(_MOST))]
    return [*strict, (without(_MOST),) * 2, (file_alone,) * 2, (of_another_scale,) * 2]


def _partners(hr: Sequence[str], lr: Sequence[str], forms: Sequence[tuple[Form, Form]]) -> dict[str, str]:
    # One rule that fits all names is surer than the strictest rule for each of them.
    for hr_form, lr_form in forms:
        found = _meeting(hr, lr, hr_form, lr_form)
        if len(found) == len(hr) == len(lr):
            return found
    found = {}
    for hr_form, lr_form in forms:
        taken = set(found.values())
        left, right = [name for name in hr if name not in found], [name for name in lr if name not in taken]
        found |= _meeting(left, right, hr_form, lr_form)
    return found


def _meeting(hr: Sequence[str], lr: Sequence[str], hr_form: Form, lr_form: Form) -> dict[str, str]:
    left, right = _by_form(hr, hr_form), _by_form(lr, lr_form)
    return {
        names[0]: right[form][0] for form, names in left.items() if len(names) == 1 and len(right.get(form, ())) == 1
    }


def _by_form(names: Iterable[str], form: Form) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[form(name)].append(name)
    return found


def _mismatch(
    hr_root: Path,
    lr_root: Path,
    hr: Sequence[str],
    lr: Sequence[str],
    unmatched_hr: Sequence[str],
    unmatched_lr: Sequence[str],
    what: str,
) -> str:
    lines = [
        _alone(names, others, rest)
        for names, others, rest in ((unmatched_hr, unmatched_lr, lr), (unmatched_lr, unmatched_hr, hr))
        if names
    ]
    return (
        f"{what or 'the'} pairs do not match: {len(hr)} pictures in {hr_root} and {len(lr)} in {lr_root}; "
        f"{'; '.join(lines)}; rename or remove them"
    )


def _alone(names: Sequence[str], others: Sequence[str], rest: Sequence[str]) -> str:
    """The first names without a partner, each with the nearest one on the other side: of those alone too, if any."""
    shown = []
    for name in names[:_SHOWN]:
        near = difflib.get_close_matches(name, others, 1) or difflib.get_close_matches(name, rest, 1)
        both = (told_apart(name, near[0]), told_apart(near[0], name)) if near else None
        shown.append(f"{both[0]} (nearest: {both[1]})" if both else name)
    return f"{len(names)} without a partner: {', '.join(shown)}{', …' if len(names) > _SHOWN else ''}"


def _about_size(hr: tuple[int, int], lr: tuple[int, int], scale: int) -> str:
    if min(lr) == 0:
        return "it is empty"
    ratios = [h / n for h, n in zip(hr, lr, strict=True)]
    shown = " by ".join(
        f"x{ratio:.4g}" for ratio in (ratios[::-1] if abs(ratios[0] - ratios[1]) > 0.005 else ratios[:1])
    )
    return f"{lr[1]}x{lr[0]} against {hr[1]}x{hr[0]} is {shown}, not x{scale}"
