"""How large views are; imports no torch, as the shape of the configuration needs it."""

SMALLER, LARGER = ("lr", "degraded"), ("bicubic", "bicubic_aligned")
"""Functions of `sr.training.views` that divide the sides of what they are given by the scale, or multiply them."""


def side_of(view: str, crop: int, scale: int) -> int:
    """Side of a view of training crops in pixels.

    Args:
        view: such as ``sr``, ``lr`` or ``lr(sr)``; a generator's side output counts as large as its picture.
        crop: side of a low-resolution crop.
        scale: between LR and HR.
    """
    *functions, base = view.replace(")", "").split("(")
    side = crop if base == "lr" else crop * scale
    for function in reversed(functions):
        if function in SMALLER:
            side //= scale
        elif function in LARGER:
            side *= scale
    return side
