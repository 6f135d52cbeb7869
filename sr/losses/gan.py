"""GAN objectives: what the generator and the discriminator descend, given the discriminator's raw outputs.

Outputs are maps of logits, (batch, 1, height, width), without a sigmoid. Every mean is over all cells of the batch,
in float32. An objective is any object with the members of `GanObjective`.

Gradient penalties are over pictures in [0, 1], as they are shown, also where a discriminator moves them to [-1, 1]
inside. Slopes over [-1, 1] are half as large: R1's gamma there is gamma / 4 here, a slope of 1 here one of 1/2 there.
"""

import math
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sr.losses.pixel import at_least_float32
from sr.types import Logits, PerPicture, Scalar

Label = Float[Tensor, "batch #level map_height map_width"] | float
"""How real each cell is, the same for all levels: 1 real, 0 fake, between where it shows both."""


class GanObjective(Protocol):
    """What an adversary needs of an objective."""

    compares: ClassVar[bool]
    """The generator's loss needs D(real) as well: fakes are judged relative to reals."""
    soft: ClassVar[bool]
    """Labels between 0 and 1 make sense, so regions may be swapped between real and fake."""
    bounded: ClassVar[bool]
    """The discriminator's loss has a floor at 0, so its size says how well it does, and terms may be added up."""

    @property
    def penalty(self) -> float:
        """Weight of the gradient penalty between real and fake; 0 for none."""

    def generator(self, fake: Logits, real: Logits | None) -> Scalar:
        """Loss of the generator; gradient flows through ``fake`` alone."""

    def discriminator(self, real: Logits, fake: Logits, labels: tuple[Label, Label]) -> tuple[Scalar, Scalar]:
        """The two terms, of real and of fake pictures, whose sum the discriminator descends."""


def bce(logits: Logits, label: Label) -> Scalar:
    """Mean binary cross entropy of sigmoid(logits) against ``label`` in [0, 1].

    Written as two softplus terms, each exact where the other would cancel digits: confident logits keep a gradient.
    """
    x = at_least_float32(logits)
    if isinstance(label, float) and label in (0.0, 1.0):
        return F.softplus(-x if label else x).mean()
    return (label * F.softplus(-x) + (1 - label) * F.softplus(x)).mean()


def squared(logits: Logits, label: Label) -> Scalar:
    """Mean squared difference to ``label``."""
    return (at_least_float32(logits) - label).square().mean()


class LeastSquares:
    """LSGAN (Mao et al. 2017, arXiv 1611.04076, equation 9 with a = 0, b = c = 1, without the halves).

    A discriminator that cannot tell real from fake says 0.5 everywhere and loses 0.5 in total.
    """

    compares: ClassVar[bool] = False
    soft: ClassVar[bool] = True
    bounded: ClassVar[bool] = True
    penalty = 0.0

    def generator(self, fake: Logits, real: Logits | None = None) -> Scalar:
        """Mean of (D(fake) - 1)^2."""
        return squared(fake, 1.0)

    def discriminator(
        self, real: Logits, fake: Logits, labels: tuple[Label, Label] = (1.0, 0.0)
    ) -> tuple[Scalar, Scalar]:
        """Means of (D(real) - 1)^2 and D(fake)^2; swapped regions move the targets."""
        return squared(real, labels[0]), squared(fake, labels[1])


class CrossEntropy:
    """The original objective in its non-saturating form (Goodfellow et al. 2014, arXiv 1406.2661, section 3).

    Args:
        smoothing: one-sided label smoothing: real pictures get the label 1 - smoothing in the discriminator's loss
            (Salimans et al. 2016, arXiv 1606.03498, section 3.4); the generator aims at 1 all the same.

    Raises:
        ValueError: smoothing outside [0, 0.5).
    """

    compares: ClassVar[bool] = False
    soft: ClassVar[bool] = True
    bounded: ClassVar[bool] = True
    penalty = 0.0

    def __init__(self, smoothing: float = 0.0) -> None:
        if not 0 <= smoothing < 0.5:
            raise ValueError(f"smoothing={smoothing} must be at least 0 and below 0.5; the usual value is 0.1.")
        self.smoothing = smoothing

    def generator(self, fake: Logits, real: Logits | None = None) -> Scalar:
        """Mean of -log sigmoid(D(fake)); ln 2 for an undecided discriminator."""
        return bce(fake, 1.0)

    def discriminator(
        self, real: Logits, fake: Logits, labels: tuple[Label, Label] = (1.0, 0.0)
    ) -> tuple[Scalar, Scalar]:
        """Cross entropies of real and of fake pictures; each is ln 2 for an undecided discriminator."""
        targets = self.targets(labels)
        return bce(real, targets[0]), bce(fake, targets[1])

    def targets(self, labels: tuple[Label, Label]) -> tuple[Label, Label]:
        """The labels after smoothing."""
        share = 1 - self.smoothing
        return labels[0] * share, labels[1] * share


class MeanProbability:
    """Linear in the probability: the SRGAN notebook's, whose generator descends mean(1 - D(fake)).

    What its discriminator descends the notebook does not show; here it is the same, 1 - D(real) + D(fake). Other than
    with logarithms, a verdict that is sure teaches hardly anything: its gradient is p (1 - p).
    """

    compares: ClassVar[bool] = False
    soft: ClassVar[bool] = True
    bounded: ClassVar[bool] = True
    penalty = 0.0

    def generator(self, fake: Logits, real: Logits | None = None) -> Scalar:
        """Mean of 1 - sigmoid(D(fake))."""
        return _missed(fake, 1.0)

    def discriminator(
        self, real: Logits, fake: Logits, labels: tuple[Label, Label] = (1.0, 0.0)
    ) -> tuple[Scalar, Scalar]:
        """Means of 1 - sigmoid(D(real)) and sigmoid(D(fake)); each is 0.5 for an undecided discriminator."""
        return _missed(real, labels[0]), _missed(fake, labels[1])


def _missed(logits: Logits, label: Label) -> Scalar:
    """Mean probability of the other answer."""
    x = at_least_float32(logits)
    return (label * torch.sigmoid(-x) + (1 - label) * torch.sigmoid(x)).mean()


class Hinge:
    """Hinge loss (Lim and Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, equations 16 and 17)."""

    compares: ClassVar[bool] = False
    soft: ClassVar[bool] = False
    bounded: ClassVar[bool] = True
    penalty = 0.0

    def generator(self, fake: Logits, real: Logits | None = None) -> Scalar:
        """Mean of -D(fake)."""
        return -at_least_float32(fake).mean()

    def discriminator(
        self, real: Logits, fake: Logits, labels: tuple[Label, Label] = (1.0, 0.0)
    ) -> tuple[Scalar, Scalar]:
        """Means of max(0, 1 - D(real)) and max(0, 1 + D(fake))."""
        return F.relu(1 - at_least_float32(real)).mean(), F.relu(1 + at_least_float32(fake)).mean()


class Wasserstein:
    """WGAN with gradient penalty (Gulrajani et al. 2017, arXiv 1704.00028, equation 3).

    The penalty itself is `gradient_penalty`, which the adversary computes: it needs the network. It takes the
    gradient of a gradient, for which half precision is too coarse.

    Args:
        penalty: lambda, 10 in the paper; 0 leaves the critic unbounded.

    Raises:
        ValueError: a negative or infinite penalty.
    """

    compares: ClassVar[bool] = False
    soft: ClassVar[bool] = False
    bounded: ClassVar[bool] = False

    def __init__(self, penalty: float = 10.0) -> None:
        if not 0 <= penalty < math.inf:
            raise ValueError(f"penalty={penalty} must be a number from 0 on; the paper takes 10.")
        self.penalty = penalty

    def generator(self, fake: Logits, real: Logits | None = None) -> Scalar:
        """Mean of -D(fake)."""
        return -at_least_float32(fake).mean()

    def discriminator(
        self, real: Logits, fake: Logits, labels: tuple[Label, Label] = (1.0, 0.0)
    ) -> tuple[Scalar, Scalar]:
        """Means of -D(real) and D(fake)."""
        return -at_least_float32(real).mean(), at_least_float32(fake).mean()


class RelativisticAverage:
    """RaGAN (Jolicoeur-Martineau 2018, arXiv 1807.00734), each loss half the sum of both terms, as ESRGAN trains.

    A picture is judged by how much more real it looks than the mean of the other kind. Gradient goes through both
    terms in the discriminator; in the generator's loss D(real) is a constant.

    The means are over the batch at hand: of one process, and with accumulation of one of the batches that are added
    up. So k batches are not the same as one that is k times as large.
    """

    compares: ClassVar[bool] = True
    soft: ClassVar[bool] = False
    bounded: ClassVar[bool] = True
    penalty = 0.0

    def generator(self, fake: Logits, real: Logits | None) -> Scalar:
        """Half of BCE(D(real) - mean D(fake), 0) + BCE(D(fake) - mean D(real), 1)."""
        real, fake = _both(real, fake)
        return (bce(real - fake.mean(), 0.0) + bce(fake - real.mean(), 1.0)) / 2

    def discriminator(
        self, real: Logits, fake: Logits, labels: tuple[Label, Label] = (1.0, 0.0)
    ) -> tuple[Scalar, Scalar]:
        """Halves of BCE(D(real) - mean D(fake), 1) and BCE(D(fake) - mean D(real), 0)."""
        real, fake = at_least_float32(real), at_least_float32(fake)
        return bce(real - fake.mean(), 1.0) / 2, bce(fake - real.mean(), 0.0) / 2


class RelativisticClipped:
    """Pairwise relativistic loss that does not reward what already looks more real than real.

    Each cell of a fake is compared with the same cell of its own ground truth: d = D(fake) - D(real). The
    discriminator descends mean softplus(d). The generator descends softplus(-d) where d <= 0 and gets neither loss
    nor gradient where d > 0; those cells still count in the mean. Otherwise it over-fits the discriminator with crisp
    invented patterns, in regions that are out of focus or flat in the truth.

    Args:
        clip: False rewards those cells as well: the plain pairwise relativistic GAN.
    """

    compares: ClassVar[bool] = True
    soft: ClassVar[bool] = False
    bounded: ClassVar[bool] = True
    own_truth: ClassVar[bool] = True
    """Fakes are compared with their own truth, so real pictures of other things mean nothing."""
    penalty = 0.0

    def __init__(self, clip: bool = True) -> None:
        self.clip = clip

    def generator(self, fake: Logits, real: Logits | None) -> Scalar:
        """Mean of softplus(-d) over all cells, 0 where d > 0."""
        real, fake = _both(real, fake)
        d = fake - real
        loss = F.softplus(-d)
        return (torch.where(d > 0, torch.zeros_like(loss), loss) if self.clip else loss).mean()

    def discriminator(
        self, real: Logits, fake: Logits, labels: tuple[Label, Label] = (1.0, 0.0)
    ) -> tuple[Scalar, Scalar]:
        """Two equal halves of mean softplus(d), which does not fall apart into real and fake; ln 2 in all at d = 0."""
        half = F.softplus(at_least_float32(fake) - at_least_float32(real)).mean() / 2
        return half, half


def _both(real: Logits | None, fake: Logits) -> tuple[Logits, Logits]:
    if real is None:
        raise ValueError("a relativistic objective needs D(real) in the generator's loss too.")
    return at_least_float32(real).detach(), at_least_float32(fake)


def gradient_norms(score: PerPicture, pictures: Tensor) -> PerPicture:
    """Norm of the gradient of each picture's score with respect to that picture, differentiable once more.

    Args:
        score: one number per picture.
        pictures: (batch, channels, height, width) in [0, 1] that it was computed from, requiring gradient.
    """
    (gradient,) = torch.autograd.grad(score.sum(), pictures, create_graph=True)
    # sqrt has no gradient at 0; 1e-12 is far below any norm that matters.
    return (gradient.flatten(1).square().sum(dim=1) + 1e-12).sqrt()


def gradient_penalty(norms: PerPicture) -> Scalar:
    """Mean of (norm - 1)^2 (Gulrajani et al. 2017, equation 3): 0 for a critic of slope 1 over pictures in [0, 1]."""
    return (norms - 1).square().mean()


def r1(norms: PerPicture, gamma: float) -> Scalar:
    """Half of gamma times the mean squared gradient norm at real pictures (Mescheder et al. 2018, arXiv 1801.04406).

    ``gamma`` is for pictures in [0, 1]: a quarter of that for the same pictures in [-1, 1].
    """
    return gamma / 2 * norms.square().mean()
