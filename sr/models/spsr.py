"""Structure-preserving super-resolution: a second network predicts where the edges of the picture will be."""

from collections.abc import Callable, Iterator
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.choices import check_choice
from sr.image.gradient_map import gradient_map
from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.padding import Padding, pad_
from sr.models.residual import SMALL, start_small_
from sr.models.rrdb import SLOPE, ResidualInResidual
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.types import Image

TAPS = 4
GROUPS = 8

Norm = Literal["none", "group"]


class Structured(NamedTuple):
    """What the network makes of a picture.

    Attributes:
        sr: the picture.
        branch: the gradient map that it should have (`sr.image.gradient_map`), of the same shape.
    """

    sr: Upscaled
    branch: Upscaled


class _Climbing(nn.Module):
    """From low to high resolution: nearest neighbour and a convolution per stage, then one more.

    Args:
        features: channels in and out.
        factors: of the stages.
        norm: after each convolution of a stage.
    """

    def __init__(self, features: int, factors: tuple[int, ...], norm: Norm) -> None:
        super().__init__()
        self.factors = factors
        for number in range(1, len(factors) + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(features, features, 3, padding=1))
            self.add_module(f"norm_up{number}", _norm(norm, features))
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)

    def climb(self, x: Tensor) -> Tensor:
        """(batch, features, h, w) to (batch, features, scale*h, scale*w)."""
        for number, factor in enumerate(self.factors, 1):
            enlarged = self.get_submodule(f"conv_up{number}")(F.interpolate(x, scale_factor=factor, mode="nearest"))
            x = F.leaky_relu(self.get_submodule(f"norm_up{number}")(enlarged), SLOPE)
        return F.leaky_relu(self.conv_hr(x), SLOPE)


class _Branch(_Climbing):
    """The gradient branch: refines gradient features with what the trunk has found on its way, and enlarges them.

    Args:
        features: channels of the trunk and of the branch.
        growth: of its dense blocks, which are twice as wide.
        factors: of the enlarging stages.
        norm: after each convolution that joins trunk and branch, and at each stage.
    """

    def __init__(self, features: int, growth: int, factors: tuple[int, ...], norm: Norm) -> None:
        super().__init__(features, factors, norm)
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualInResidual(2 * features, growth) for _ in range(TAPS))
        self.joins = nn.ModuleList(nn.Conv2d(2 * features, features, 3, padding=1) for _ in range(TAPS))
        self.norms = nn.ModuleList(_norm(norm, features) for _ in range(TAPS))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        self.conv_features = nn.Conv2d(features, features, 3, padding=1)
        self.conv_map = ExactConv2d(features, 3, 1)

    def start(self, lr: Image) -> Tensor:
        """b_0: features of the LR's gradient map."""
        features: Tensor = self.conv_first(gradient_map(lr).to(self.conv_first.weight.dtype))
        return features

    def joined(self, number: int, kept: Callable[[nn.Module, Tensor], Tensor], before: Tensor, tap: Tensor) -> Tensor:
        """b_i, out of b_(i-1) and the trunk's features t_i.

        Args:
            number: i - 1.
            kept: calls a block.
            before: b_(i-1).
            tap: t_i.
        """
        wide = kept(self.blocks[number], torch.cat([before, tap], dim=1))
        made: Tensor = self.norms[number](self.joins[number](wide))
        return made

    def finish(self, last: Tensor, first: Tensor) -> Tensor:
        """Features of the HR's gradient map, out of b_4 and b_0."""
        features: Tensor = self.conv_features(self.climb(self.conv_body(last) + first))
        return features


class Spsr(_Climbing):
    """SPSR (Ma et al. 2020, arXiv 2003.13081), as its authors publish it and DL-Art-School took it over.

    The trunk is `RrdbNet` without its last convolution, under the same names, so that a trained one starts it by
    ``init_from=RUN init_from.partial=true``; pixels are not folded at x1 and x2. Beside it the gradient branch runs on
    the gradient map of the LR: b_i = conv(RRDB(cat[b_(i-1), t_i])), where t_i are the trunk's features after every
    ``spacing`` blocks; it is enlarged as the trunk is, and a 1x1 convolution makes the predicted gradient map of it.
    The fusion (``fusion.*``: what `parts.freeze` leaves to learn first) puts both together:
    SR = conv(LReLU(conv(conv(RRDB(cat[b, f]))))). The trunk sees nothing of the branch. All weights start as Kaiming's
    times 0.1, biases at 0; four layers in a row that begin so small learn brightness long before they learn colours,
    for which a short run has ``gain``.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels of trunk and branch (published: 64).
        blocks: of the trunk (published: 23).
        growth: channels that a dense layer adds.
        spacing: blocks of the trunk per block of the branch; there are four of these.
        gain: what Kaiming's initialisation is multiplied by in the convolutions of the branch and of the fusion that
            no residual goes around (published: 0.1).
        biases: of all convolutions. The lessons of 2020 found them needed on everything heavy; a simplified variant of
            August 2020 had none.
        norm: ``group``: group normalisation in the branch, which the lessons call really bad: gradient maps are mostly
            near 0, and their mean and deviation mean nothing.
        padding: what convolutions see beyond the border: ``zeros`` (published), ``reflect`` or ``replicate``.
        checkpointing: forget what the blocks compute, and compute it again for the backward pass.

    Raises:
        ValueError: a scale, size, gain, norm or padding that does not exist, or more taps than blocks.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 23,
        growth: int = 32,
        spacing: int = 5,
        gain: float = SMALL,
        biases: bool = True,
        norm: Norm = "none",
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        check_choice("norm", norm, Norm)
        _check_sizes(features, blocks, growth, spacing, norm)
        if not gain > 0:
            raise ValueError(f"Spsr needs a gain above 0, not {gain}; as published it is {SMALL}.")
        super().__init__(features, doubling_stages(check_scale(self, scale, self.scales)), "none")
        self.scale, self.spacing, self.checkpointing = scale, spacing, checkpointing
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.ModuleList(ResidualInResidual(features, growth) for _ in range(blocks))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        self.conv_features = nn.Conv2d(features, features, 3, padding=1)
        self.branch = _Branch(features, growth, self.factors, norm)
        self.fusion = nn.Sequential(
            ResidualInResidual(2 * features, growth),
            nn.Conv2d(2 * features, features, 3, padding=1),
            nn.Conv2d(features, features, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            ExactConv2d(features, 3, 3, padding=1),
        )
        anew = {layer for part in (self.branch, self.fusion) for layer in _outside_blocks(part)}
        for conv in [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]:
            start_small_(conv, gain=gain if conv in anew else SMALL)
            if not biases:
                conv.bias = None
        pad_(self, padding)

    def forward(self, lr: Image) -> Structured:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to two of (batch, 3, scale*h, scale*w); not clipped."""
        first = self.conv_first(lr)
        x, branch_first = first, self.branch.start(lr)
        branch = branch_first
        for number, block in enumerate(self.body, 1):
            x = self._kept(block, x)
            tap, rest = divmod(number, self.spacing)
            if rest == 0 and tap <= TAPS:
                branch = self.branch.joined(tap - 1, self._kept, branch, x)
        features = self.conv_features(self.climb(first + self.conv_body(x)))
        branch = self.branch.finish(branch, branch_first)
        edges = self.branch.conv_map(branch)
        return Structured(self.fusion(torch.cat([branch, features], dim=1)), edges)

    def _kept(self, block: nn.Module, x: Tensor) -> Tensor:
        """What a block makes; with ``checkpointing`` its inside is forgotten until the backward pass."""
        made: Tensor = run(block, x, self.checkpointing)
        return made


def _outside_blocks(part: nn.Module) -> Iterator[nn.Module]:
    """The convolutions of a part that are not inside one of its residual blocks."""
    for child in part.children():
        if isinstance(child, nn.Conv2d):
            yield child
        elif not isinstance(child, ResidualInResidual):
            yield from _outside_blocks(child)


def _norm(norm: Norm, features: int) -> nn.Module:
    return nn.GroupNorm(GROUPS, features) if norm == "group" else nn.Identity()


def _check_sizes(features: int, blocks: int, growth: int, spacing: int, norm: Norm) -> None:
    if min(features, blocks, growth, spacing) < 1:
        raise ValueError(
            "Spsr needs features, blocks, growth and spacing of at least 1, not "
            f"{features}, {blocks}, {growth} and {spacing}."
        )
    if TAPS * spacing > blocks:
        closer = f", or spacing={blocks // TAPS}" if blocks >= TAPS else ""
        raise ValueError(
            f"spacing={spacing} takes {TAPS} taps after {TAPS * spacing} blocks, and blocks={blocks}; set blocks to at "
            f"least {TAPS * spacing}{closer}."
        )
    if norm == "group" and features % GROUPS:
        raise ValueError(
            f"norm=group needs features that {GROUPS} divides, not {features}; take {features + -features % GROUPS}."
        )
