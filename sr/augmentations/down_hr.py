"""Take detail from what the degradation sees, not from the target: the network learns to sharpen soft pictures."""

from sr.degradations.pictures import Pictures
from sr.degradations.resize import DownUp
from sr.draws import Draws
from sr.types import Crops


class DownHr:
    """Shrink the degradation's input and enlarge it again, before anything else; the target stays as it is.

    "DownHR" of the experiment log (albumentations' Downscale by area average).

    Args:
        factor: [low, high] of the smaller size over the size, within (0, 1].
        probability: with which a sample is changed, 0..1.
    """

    changes_input = True

    def __init__(self, factor: tuple[float, float], probability: float) -> None:
        self.stage = DownUp(factor=factor, probability=probability)

    def __call__(self, crops: Crops, draws: Draws, together: bool | None = None) -> Crops:
        """Change ``seen``, rounded to 8 bits again; ``together``: see `sr.degradations.pictures.Pictures`."""
        source = crops.hr if crops.seen is None else crops.seen
        size = (source.shape[-2], source.shape[-1])
        made = self.stage(Pictures.of(source.float() / 255, size, together), draws).pixels
        return crops._replace(seen=made.mul(255).round_().clamp_(0, 255).to(source.dtype))
