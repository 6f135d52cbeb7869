"""What callbacks, guard, checkpoints and replay ask of a training module; any LightningModule that has it will do."""

from typing import Any, Protocol

from torch import Tensor, nn

from sr.losses.objective import Objective
from sr.training.adversary.adversary import Adversary
from sr.training.clock import Clock
from sr.training.ema import Ema
from sr.training.means import RunningMeans
from sr.training.parts import Parts
from sr.training.precision import Compute
from sr.training.schedules import Schedule
from sr.training.stopwatch import Stopwatch
from sr.training.watch import Alarm


class Trainable(Protocol):
    """A module that trains generators on the updates clock; `SuperResolution` is one.

    It optimises by hand and sets ``rolled_back`` to False where a step begins. What all of them do alike are functions
    of `sr.training.steps` and `sr.training.adversary.turns`.

    Attributes:
        network: the generator, or several in one module; it is saved as a whole.
        objective: what it minimises apart from adversaries.
        schedule: factor on its learning rates.
        ema: average of its weights, or None.
        adversaries: by name.
        clock: counts updates.
        compute: device, number format and memory layout.
        accumulate: batches per update.
        g_every: so many times more of them for an update of the generator.
        parts: of the generators that learn otherwise than the rest.
        position: batches since the last update.
        batches: seen by this process; with the seed, the place in the data.
        samples: crops seen by all processes.
        rate: factor on all learning rates, lowered after explosions on request.
        means: logged values since the last row.
        alarm: remembers explosions.
        stopwatch: time spent training.
        rolled_back: the newest update has been undone: nothing is to be logged, validated or saved.
        exit_reason: why the run ended: max_updates, max_time, interrupted, no_improvement; None while it runs.
    """

    network: nn.Module
    objective: Objective
    schedule: Schedule
    ema: Ema | None
    adversaries: dict[str, Adversary]
    clock: Clock
    compute: Compute
    accumulate: int
    g_every: int
    parts: Parts
    position: int
    batches: int
    samples: int
    rate: float
    means: RunningMeans
    alarm: Alarm
    stopwatch: Stopwatch
    rolled_back: bool
    exit_reason: str | None

    @property
    def updates(self) -> int:
        """So far: the run's clock."""

    @property
    def at_update(self) -> bool:
        """No gradient is pending, so the run may be saved here."""

    @property
    def deliverable(self) -> nn.Module:
        """The network that is validated and exported."""

    def optimizers(self) -> Any:
        """Lightning's: the generators' first, then one per adversary in their order."""

    def manual_backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Lightning's."""
