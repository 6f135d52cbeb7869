"""What a picture file holds, but for its pixels."""

from dataclasses import dataclass, replace

from sr.types import Picture


@dataclass(frozen=True)
class Form:
    """Size and kind of a picture.

    Attributes:
        height: in pixels.
        width: in pixels.
        deep: 16 bits per channel instead of 8.
        gray: one channel of colour instead of three.
        alpha: another channel says how much shows.
    """

    height: int
    width: int
    deep: bool = False
    gray: bool = False
    alpha: bool = False

    @property
    def channels(self) -> int:
        """1 to 4."""
        return (1 if self.gray else 3) + self.alpha


def form_of(picture: Picture) -> Form:
    """The form of a decoded picture."""
    height, width = picture.pixels.shape[:2]
    return Form(height, width, picture.pixels.itemsize > 1, picture.gray, picture.alpha is not None)


def held(form: Form, suffix: str) -> Form:
    """What a format makes of it: PNG keeps everything.

    Args:
        form: of the picture.
        suffix: of its file, lower case.
    """
    if suffix in (".tif", ".tiff"):  # not every reader opens deep gray with alpha
        return replace(form, gray=form.gray and not (form.alpha and form.deep))
    if suffix in (".webp", ".avif"):
        return replace(form, gray=False, deep=False)
    return replace(form, deep=False) if suffix in (".jpg", ".jpeg") else form
