"""Any stage of a degradation on the target: then it is in the degradation's input too, and no network undoes it."""

from torch import Tensor

from sr.augmentations.sequence import refuse_low_resolution
from sr.degradations.pictures import Pictures
from sr.degradations.pipeline import Stage, one_thread
from sr.draws import Draws
from sr.errors import UserError
from sr.types import Crops


class OnTarget:
    """Change the high-resolution crop before it is degraded, and what the degradation sees likewise.

    Args:
        stage: of `sr.degradations`; also one made of several (`sr.degradations.combine`). It must keep the size and run
            on the device.

    Raises:
        ValueError: it is no stage, or runs on the CPU only.
    """

    changes_input = True

    def __init__(self, stage: Stage) -> None:
        if not callable(stage):
            raise ValueError(f"stage={stage} is no stage of a degradation; give it a _target_ of sr.degradations")
        if getattr(stage, "only_in_advance", False):
            raise ValueError(f"{type(stage).__name__} runs on the CPU only, and crops are changed on the device")
        self.stage = stage

    def __call__(self, crops: Crops, draws: Draws, together: bool | None = None) -> Crops:
        """Change all samples; arguments as of `sr.augmentations.sequence.Augmentation`.

        Raises:
            UserError: there is low resolution already, or the stage changes the size.
        """
        refuse_low_resolution(crops, type(self.stage).__name__)

        def changed(pixels: Tensor) -> Tensor:
            size = (pixels.shape[-2], pixels.shape[-1])
            with one_thread(pixels.device):
                made = self.stage(Pictures.of(pixels.float() / 255, size, together), draws)
            if made.canvas != size or not made.filled:
                raise UserError(
                    f"{type(self.stage).__name__} changes the size of the target; take a stage that keeps it"
                )
            return made.pixels.mul(255).round_().clamp_(0, 255).to(pixels.dtype)

        return crops.changed(changed)
