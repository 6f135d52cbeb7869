"""SPSR with switches in the place of its trunks, which knows the whole photograph around the crop."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.choices import check_choice
from sr.image.gradient_map import gradient_map
from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.multiplexer import Multiplexer, started_
from sr.models.reference import SHRINKS, Reference, ReferenceImageBranch, ReferenceJoinBlock, RefJoiner, own_reference
from sr.models.scales import EVERY_SCALE, check_scale, doubling_stages
from sr.models.spsr import Structured
from sr.models.switch_computer import SLOPE, SwitchComputer
from sr.switches.switch import Attention
from sr.switches.temperature import Annealing
from sr.switches.watching import anneal, attention_pictures, switch_measures
from sr.types import Image

Mainline = Literal["clean", "polluted"]
LAYERS = 3  # of a switch's branches
REDUCTIONS, PROCESSING = 3, 2
LARGEST = 1024  # reference: whole photographs beside each crop would fill the memory
NOISE_START, REFERENCE_START, GRADIENT_START = 0.1, 0.1, 0.2


class SpsrSwitched(nn.Module):
    """DL-Art-School's "spsr3" (SwitchedSpsrWithRef2 of commit 747ded2, 9 September 2020: the lessons learned).

    Two switches one after the other on the LR's features, a third on those of its gradient map, and a fourth where both
    meet; all at the low resolution. What reaches a switch's branches is joined with noise and with a vector that knows
    the whole photograph (`sr.models.reference`). Its lessons: biases but on the gradient's content, no norm on the
    mainline nor on gradients, and a mainline to which branches only add: with all weights of switches at 0 nothing of
    noise or reference is in it.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: C, a multiple of 8 (64).
        branches: of each switch (8); half as many on gradients.
        multiplexer_features: F, a multiple of 8 and at least ``branches``.
        reference: side of the reference in pixels, a multiple of 8 from 16 to 1024. Training brings one for each crop;
            without one, as in `sr upscale`, a picture is its own.
        mainline: ``clean``, or ``polluted``: what was joined is carried on instead, as before that commit.
        attention_norm: branches are used alike.
        temperature: of the softmax at first, at least 1.
        cool_until: updates after which it is 1.
        checkpointing: less memory in training, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: a scale or size that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        features: int = 64,
        branches: int = 8,
        multiplexer_features: int = 64,
        reference: int = 64,
        mainline: Mainline = "clean",
        attention_norm: bool = False,
        temperature: float = 10.0,
        cool_until: int = 10_000,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        check_choice("mainline", mainline, Mainline)
        if features < 8 or features % 8:
            raise ValueError(f"SpsrSwitched needs features in multiples of 8, not {features}; choose 64.")
        if branches < 4:
            raise ValueError(f"SpsrSwitched needs at least 4 branches, of which gradients get half, not {branches}.")
        if not 2 * SHRINKS <= reference <= LARGEST or reference % SHRINKS:
            nearest = min(LARGEST, max(2 * SHRINKS, round(reference / SHRINKS) * SHRINKS))
            raise ValueError(
                f"reference={reference} must be a multiple of {SHRINKS} pixels from {2 * SHRINKS} to {LARGEST}; choose "
                f"{nearest}."
            )
        self.reference, self.mainline, self.checkpointing = reference, mainline, checkpointing
        self.factors = doubling_stages(scale)
        annealing = Annealing(temperature, cool_until)
        switch = partial(_switch, features, multiplexer_features, annealing, attention_norm)
        self.vector = ReferenceImageBranch(features)
        self.first = _conv(3, features, "linear")
        self.noise_join = ReferenceJoinBlock(features, NOISE_START)
        self.join1, self.join2, self.join3, self.join4 = (
            RefJoiner(SHRINKS * features, features, REFERENCE_START) for _ in range(4)
        )
        self.switch1, self.switch2 = switch(branches), switch(branches)
        self._begin_gradients(features, partial(switch, branches // 2))
        self._begin_ends(features, partial(switch, branches))

    def _begin_gradients(self, features: int, switch: Callable[[], SwitchComputer]) -> None:
        """The layers that gradient maps pass."""
        self.gradient_first = _conv(3, features, "linear", bias=False)
        self.gradient_join = ReferenceJoinBlock(features, GRADIENT_START)
        self.switch_gradient = switch()
        self.gradient_lr = nn.ModuleList(_conv(features, features) for _ in range(2))
        self.gradient_up = nn.ModuleList(_conv(features, features, bias=False) for _ in self.factors)
        self.gradient_last = ExactConv2d(features, 3, 1)

    def _begin_ends(self, features: int, switch: Callable[[], SwitchComputer]) -> None:
        """The layers where features and gradients meet, up to the picture."""
        self.joint_join = ReferenceJoinBlock(features, GRADIENT_START)
        self.switch_joint = switch()
        self.final_lr = _conv(features, features)
        self.up = nn.ModuleList(_conv(features, features) for _ in self.factors)
        self.hr = _conv(features, features)
        self.last = ExactConv2d(features, 3, 3, padding=1, bias=False)
        for conv in (self.gradient_last, self.last):
            started_(conv, "linear")

    def forward(self, lr: Image, reference: Reference | None = None) -> Structured:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w) twice; not clipped.

        Args:
            lr: the pictures.
            reference: of the photograph that each is cut from; None: of the picture itself.
        """
        r = self.vector(own_reference(lr, self.reference) if reference is None else reference)
        x0: Tensor = self.first(lr)
        noise = torch.randn_like(x0) if self.training else torch.zeros_like(x0)
        x1 = self._switched(self.switch1, self.join1(self.noise_join(x0, noise), r), x0)
        x2 = self._switched(self.switch2, self.join2(x1, r), x1)
        g: Tensor = self.gradient_first(gradient_map(lr).to(x0.dtype))
        g = self._switched(self.switch_gradient, self.gradient_join(self.join3(g, r), x1), g)
        for conv in self.gradient_lr:
            g = F.leaky_relu(conv(g), SLOPE)
        y = self._switched(self.switch_joint, self.joint_join(self.join4(x2, r), g), x2)
        y = self._enlarged(F.leaky_relu(self.final_lr(y), SLOPE), self.up)
        return Structured(
            self.last(F.leaky_relu(self.hr(y), SLOPE)), self.gradient_last(self._enlarged(g, self.gradient_up))
        )

    def _switched(self, switch: nn.Module, joined: Tensor, identity: Tensor) -> Tensor:
        carried = joined if self.mainline == "polluted" else identity
        made: Tensor = run(switch, joined, self.checkpointing, carried)
        return made

    def _enlarged(self, x: Tensor, convs: nn.ModuleList) -> Tensor:
        for conv, factor in zip(convs, self.factors, strict=True):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=factor, mode="nearest")), SLOPE)
        return x

    def at_update(self, updates: int) -> None:
        """Take the temperature of the update that begins.

        Args:
            updates: so far.
        """
        anneal(self, updates)

    def measures(self) -> dict[str, Tensor]:
        """`switch_measures`, and the deviation of what each join adds: ``reference_1_branch_std_dev`` and so on."""
        joins = {
            "noise": self.noise_join,
            "gradient": self.gradient_join,
            "joint": self.joint_join,
            **{f"reference_{n}": j.block for n, j in enumerate((self.join1, self.join2, self.join3, self.join4), 1)},
        }
        found = {f"{name}_branch_std_dev": join.measured for name, join in joins.items() if join.measured is not None}
        return switch_measures(self) | found

    def pictures(self, lr: Image) -> dict[str, Image]:
        """See `attention_pictures`."""
        return attention_pictures(self, lr)


def _switch(
    features: int, multiplexer_features: int, annealing: Annealing, attention_norm: bool, branches: int
) -> SwitchComputer:
    attention = Attention(branches, annealing, attention_norm)
    plan = Multiplexer(features, multiplexer_features, REDUCTIONS, PROCESSING, branches)
    return SwitchComputer(features, attention, plan, layers=LAYERS)


def _conv(
    channels: int, width: int, activation: Literal["leaky_relu", "linear"] = "leaky_relu", bias: bool = True
) -> nn.Conv2d:
    return started_(nn.Conv2d(channels, width, 3, padding=1, bias=bias), activation)
