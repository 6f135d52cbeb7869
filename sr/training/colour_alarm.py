"""Tell the user of colours that drift."""

import math
from collections.abc import Callable, Iterable, Mapping

from sr.errors import UserError


class ColourAlarm:
    """Tells, once per run, that the colours of the pictures have drifted.

    Judged once a validation was within the bound, or from the middle of the run on: before that a network may just not
    have learnt yet. What the truth itself differs from its input by is not counted: some degradations change colours
    (``gamma_area`` and ``video_codec`` by 0.004 on Set14).

    Args:
        bound: largest mean colour error in [0, 1]; None for no alarm.
        say: told the line.

    Raises:
        UserError: the bound is out of range.
    """

    def __init__(self, bound: float | None, say: Callable[[str], None]) -> None:
        if bound is not None and not 0 <= bound <= 1:
            raise UserError(f"trainer.colour_alarm={bound:g} must be from 0 to 1 (0.008 is 2 of 255), or null for none")
        self.bound, self._say = bound, say
        self.truth = 0.0
        """Colour error of the high-resolution pictures themselves."""
        self.within = self.told = False

    def judge(self, error: float, updates: int, progress: float, opponents: Iterable[str]) -> None:
        """Look at a validation.

        Args:
            error: its mean colour error.
            updates: so far.
            progress: of the run, 0..1.
            opponents: names of the adversaries, whose weights may be to blame.
        """
        if self.bound is None or self.told or not math.isfinite(error):
            return
        over = error - self.truth > self.bound
        if over and (self.within or progress >= 0.5):
            self.told = True
            lower = [f"lower adversary.{name}.weight" for name in opponents]
            longer = [] if self.within else ["train longer, if pictures still improve"]
            cures = [*longer, *lower, "raise the weight of the pixel loss", "add lr_consistency to loss"]
            self._say(
                f"update {updates}: the mean colours of the validation pictures are off by {error:.4f}, "
                f"{255 * error:.1f} of 255 levels (trainer.colour_alarm={self.bound:g}); {', or '.join(cures)}"
            )
        self.within = self.within or not over

    def state_dict(self) -> dict[str, bool]:
        """Whether it has been within the bound, and whether the line was told."""
        return {"within": self.within, "told": self.told}

    def load_state_dict(self, state: Mapping[str, bool]) -> None:
        """Take back what ``state_dict`` gave."""
        self.within, self.told = bool(state["within"]), bool(state["told"])
