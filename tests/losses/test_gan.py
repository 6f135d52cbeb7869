"""GAN objectives against numbers by hand, PyTorch's own cross entropy, and slopes of critics that are known."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sr.losses.gan import (
    CrossEntropy,
    Hinge,
    LeastSquares,
    MeanProbability,
    RelativisticAverage,
    RelativisticClipped,
    Wasserstein,
    bce,
    gradient_norms,
    gradient_penalty,
    r1,
    squared,
)
from tests.close import assert_close

LN2 = math.log(2)
OBJECTIVES = {
    "least squares": LeastSquares(),
    "cross entropy": CrossEntropy(),
    "smoothed": CrossEntropy(smoothing=0.1),
    "hinge": Hinge(),
    "mean probability": MeanProbability(),
    "wasserstein": Wasserstein(),
    "relativistic average": RelativisticAverage(),
    "relativistic clipped": RelativisticClipped(),
    "relativistic pairwise": RelativisticClipped(clip=False),
}
every_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())


def logits(*values):
    """A map of one row per batch."""
    return torch.tensor(values).view(1, 1, 1, -1)


def maps(seed, batch=3, size=(4, 5), spread=2.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return (spread * torch.randn(batch, 1, *size, generator=generator, dtype=torch.float64)).to(dtype)


def scalar(value):
    return torch.tensor(value)


def gradients(loss, *inputs):
    return torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=True)


def entropy(x, label):
    """PyTorch's own, in float64."""
    return F.binary_cross_entropy_with_logits(x.double(), torch.full_like(x, label, dtype=torch.float64))


# Each objective


def test_least_squares_of_an_undecided_discriminator():
    """(0.5 - 1)^2 + (0.5 - 0)^2 = 0.5."""
    half = torch.full((2, 1, 3, 3), 0.5)
    real, fake = LeastSquares().discriminator(half, half)
    assert (real.item(), fake.item()) == (0.25, 0.25)
    assert LeastSquares().generator(half).item() == 0.25


def test_least_squares_by_hand():
    """Real 2 and 0: (1 + 1) / 2. Fake 3 and -1: (9 + 1) / 2. The generator: (4 + 4) / 2."""
    real, fake = LeastSquares().discriminator(logits(2.0, 0.0), logits(3.0, -1.0))
    assert (real.item(), fake.item()) == (1.0, 5.0)
    assert LeastSquares().generator(logits(3.0, -1.0)).item() == 4.0


def test_least_squares_is_zero_for_a_perfect_discriminator():
    real, fake = LeastSquares().discriminator(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    assert real + fake == 0


def test_squared_against_pytorch():
    x, label = maps(0), torch.rand(3, 1, 4, 5)
    assert_close(squared(x, label), F.mse_loss(x, label))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_at_zero_logits_is_ln_2(smoothing):
    """-y ln 0.5 - (1 - y) ln 0.5 = ln 2 whatever the label."""
    zero = torch.zeros(2, 1, 3, 3)
    objective = CrossEntropy(smoothing)
    for term in (*objective.discriminator(zero, zero), objective.generator(zero)):
        assert_close(term, scalar(LN2))


@pytest.mark.parametrize("spread", [0.5, 3.0, 30.0])
def test_cross_entropy_against_pytorch(spread):
    real, fake = maps(1, spread=spread), maps(2, spread=spread)
    objective = CrossEntropy()
    assert_close(objective.discriminator(real, fake)[0], entropy(real, 1.0))
    assert_close(objective.discriminator(real, fake)[1], entropy(fake, 0.0))
    assert_close(objective.generator(fake), entropy(fake, 1.0))


def test_cross_entropy_gradients_against_pytorch():
    fake, plain = maps(3).requires_grad_(), maps(3).double().requires_grad_()
    (ours,) = gradients(CrossEntropy().generator(fake), fake)
    (theirs,) = gradients(entropy(plain, 1.0), plain)
    assert_close(ours, theirs)


def test_generator_of_cross_entropy_does_not_saturate():
    """d/dx -log sigmoid(x) = sigmoid(x) - 1, which is -1 where the discriminator is sure of a fake."""
    fake = torch.full((1, 1, 1, 1), -50.0, requires_grad=True)
    (gradient,) = gradients(CrossEntropy().generator(fake), fake)
    assert_close(gradient, torch.full((1, 1, 1, 1), -1.0))


def test_cross_entropy_is_finite_far_out():
    far = torch.tensor([[[[1e4, -1e4]]]], requires_grad=True)
    loss = CrossEntropy().generator(far)
    (gradient,) = gradients(loss, far)
    assert loss.item() == 5000.0  # (0 + 1e4) / 2
    assert gradient.isfinite().all()


def test_smoothing_moves_the_best_answer_on_real_pictures():
    """The label 0.9 costs least at D = 0.9: -0.9 ln 0.9 - 0.1 ln 0.1 = 0.0948245 + 0.2302585 = 0.3250830."""
    objective = CrossEntropy(smoothing=0.1)
    best = logits(math.log(9)).requires_grad_()  # sigmoid(ln 9) = 0.9
    term, _ = objective.discriminator(best, best)
    assert_close(term, scalar(0.3250830))
    (slope,) = gradients(term, best)
    assert_close(slope, torch.zeros_like(slope))
    for other in (0.8, 0.89, 0.91, 0.99):
        worse, _ = objective.discriminator(logits(math.log(other / (1 - other))), best)
        assert worse > term


def test_smoothing_punishes_certainty_about_real_pictures():
    """At a logit x far above 0 the loss is 0.1 x: 2 at x = 20; without smoothing it is 0."""
    sure = logits(20.0)
    assert_close(CrossEntropy(0.1).discriminator(sure, sure)[0], scalar(2.0))
    assert_close(CrossEntropy(0.0).discriminator(sure, sure)[0], scalar(0.0))


def test_smoothing_is_one_sided():
    x = maps(4)
    smooth, plain = CrossEntropy(0.1), CrossEntropy()
    assert torch.equal(smooth.discriminator(x, x)[1], plain.discriminator(x, x)[1])
    assert torch.equal(smooth.generator(x), plain.generator(x))


def test_label_maps_of_cross_entropy_against_pytorch():
    real, fake, label = maps(5), maps(6), torch.rand(3, 1, 4, 5)
    ours = CrossEntropy().discriminator(real, fake, (1 - label, label))
    assert_close(ours[0], F.binary_cross_entropy_with_logits(real, 1 - label))
    assert_close(ours[1], F.binary_cross_entropy_with_logits(fake, label))
    smoothed = CrossEntropy(0.2).discriminator(real, fake, (1 - label, label))
    assert_close(smoothed[0], F.binary_cross_entropy_with_logits(real, 0.8 * (1 - label)))
    assert_close(smoothed[1], F.binary_cross_entropy_with_logits(fake, 0.8 * label))


def test_label_maps_of_least_squares_against_pytorch():
    real, fake, label = maps(7), maps(8), torch.rand(3, 1, 4, 5)
    ours = LeastSquares().discriminator(real, fake, (1 - label, label))
    assert_close(ours[0], F.mse_loss(real, 1 - label))
    assert_close(ours[1], F.mse_loss(fake, label))


@pytest.mark.parametrize("objective", [LeastSquares(), CrossEntropy(), CrossEntropy(0.1)])
def test_swapping_everything_is_exchanging_real_and_fake(objective):
    """Under the labels (0, 1) real pictures are fakes and fakes real."""
    a, b, one = maps(9), maps(10), torch.ones(3, 1, 4, 5)
    swapped = objective.discriminator(a, b, (1 - one, one))
    plain = objective.discriminator(b, a)
    assert_close(swapped[0], plain[1])
    assert_close(swapped[1], plain[0])


def test_hinge_by_hand():
    """Real 2, 0.5, -1: (0 + 0.5 + 2) / 3. Fake -2, -0.5, 1: the same. The generator: -(-2 - 0.5 + 1) / 3 = 0.5."""
    real, fake = logits(2.0, 0.5, -1.0).requires_grad_(), logits(-2.0, -0.5, 1.0).requires_grad_()
    terms = Hinge().discriminator(real, fake)
    assert_close(torch.stack(terms), torch.tensor([2.5 / 3, 2.5 / 3]))
    assert_close(Hinge().generator(fake), scalar(0.5))
    of_real, of_fake = gradients(sum(terms), real, fake)
    assert_close(of_real, logits(0.0, -1 / 3, -1 / 3))  # what is beyond the margin no longer counts
    assert_close(of_fake, logits(0.0, 1 / 3, 1 / 3))
    assert_close(gradients(Hinge().generator(fake), fake)[0], logits(-1 / 3, -1 / 3, -1 / 3))


def test_wasserstein_by_hand():
    """Real mean 2, fake mean -1."""
    real, fake = logits(1.0, 3.0), logits(-4.0, 2.0)
    terms = Wasserstein().discriminator(real, fake)
    assert [term.item() for term in terms] == [-2.0, -1.0]
    assert Wasserstein().generator(fake).item() == 1.0
    assert Wasserstein().penalty == 10
    assert Wasserstein(penalty=0.0).penalty == 0


def test_wasserstein_does_not_care_about_a_constant():
    real, fake = maps(11), maps(12)
    assert_close(sum(Wasserstein().discriminator(real + 7, fake + 7)), sum(Wasserstein().discriminator(real, fake)))


def relativistic_average(real, fake):
    """ESRGAN's training, written with PyTorch's loss: (generator, of real, of fake)."""
    one, zero = torch.ones_like(real), torch.zeros_like(real)
    cross = F.binary_cross_entropy_with_logits
    of_real, of_fake = cross(real - fake.mean(), one) / 2, cross(fake - real.mean(), zero) / 2
    constant = real.detach()
    return (cross(constant - fake.mean(), zero) + cross(fake - constant.mean(), one)) / 2, of_real, of_fake


def test_relativistic_average_against_pytorch():
    real, fake = maps(13).requires_grad_(), maps(14).requires_grad_()
    generator, *terms = relativistic_average(real, fake)
    ours = RelativisticAverage()
    assert_close(ours.generator(fake, real), generator)
    for mine, theirs in zip(ours.discriminator(real, fake), terms, strict=True):
        assert_close(mine, theirs)
        # Each term moves both kinds: one through its own cells, the other through its mean.
        for a, b in zip(gradients(mine, real, fake), gradients(theirs, real, fake), strict=True):
            assert b.abs().sum() > 0
            assert_close(a, b)
    (mine,), (theirs,) = gradients(ours.generator(fake, real), fake), gradients(generator, fake)
    assert_close(mine, theirs)


def test_relativistic_average_by_hand():
    """Real 1, fake 3 in every cell: the generator pays half of softplus(1 - 3) + softplus(-(3 - 1)), 0.126928."""
    real, fake = torch.full((2, 1, 2, 2), 1.0), torch.full((2, 1, 2, 2), 3.0)
    assert_close(RelativisticAverage().generator(fake, real), scalar(0.126928))
    # Both terms of the discriminator: half of softplus(2) = 2.126928.
    assert_close(torch.stack(RelativisticAverage().discriminator(real, fake)), torch.tensor([1.063464, 1.063464]))


def test_relativistic_average_loses_ln_2_where_nothing_differs():
    same = torch.full((2, 1, 3, 3), -0.7)
    assert_close(sum(RelativisticAverage().discriminator(same, same)), scalar(LN2))
    assert_close(RelativisticAverage().generator(same, same), scalar(LN2))


def test_relativistic_average_compares_with_the_mean_of_the_batch():
    """Shuffling real pictures among the fakes changes nothing, which a pairwise loss would notice."""
    real, fake = maps(15), maps(16)
    assert_close(RelativisticAverage().generator(fake, real.flip(0)), RelativisticAverage().generator(fake, real))
    pairwise = RelativisticClipped(clip=False)
    assert not torch.allclose(pairwise.generator(fake, real.flip(0)), pairwise.generator(fake, real))


def test_relativistic_clipped_by_hand():
    """d = 5, -1, 0 gives 0, ln(1 + e) = 1.313262, ln 2 = 0.693147, of which the mean is 0.668803."""
    real = logits(0.0, 2.0, 3.0)
    fake = (real + logits(5.0, -1.0, 0.0)).requires_grad_()
    loss = RelativisticClipped().generator(fake, real)
    assert_close(loss, scalar(0.668803))
    # -sigmoid(-d) / 3 where d <= 0: sigmoid(1) = 0.731059, sigmoid(0) = 0.5
    assert_close(gradients(loss, fake)[0], logits(0.0, -0.731059 / 3, -0.5 / 3))


def test_relativistic_clipped_leaves_what_looks_more_real_than_real():
    real = maps(17)
    fake = (real + 0.01 + torch.rand(real.shape)).requires_grad_()
    loss = RelativisticClipped().generator(fake, real)
    assert loss.item() == 0
    assert torch.equal(gradients(loss, fake)[0], torch.zeros_like(fake))


def test_relativistic_clipped_against_pytorch():
    """The source replaces d by 9000 where the fake already wins."""
    real, fake = maps(18), maps(19).requires_grad_()
    d = torch.where(fake > real, torch.full_like(real, 9000.0), fake - real)
    theirs = F.binary_cross_entropy_with_logits(d, torch.ones_like(d))
    ours = RelativisticClipped().generator(fake, real)
    assert_close(ours, theirs)
    assert_close(gradients(ours, fake)[0], gradients(theirs, fake)[0])


def test_relativistic_clipped_is_finite_and_without_gradient_far_out():
    fake = logits(1e4, -1e4).requires_grad_()
    loss = RelativisticClipped().generator(fake, torch.zeros(1, 1, 1, 2))
    assert loss.item() == 5000.0  # (0 + 1e4) / 2
    assert torch.equal(gradients(loss, fake)[0], logits(0.0, -0.5))


def test_relativistic_discriminator_against_pytorch():
    real, fake = maps(20).requires_grad_(), maps(21).requires_grad_()
    theirs = F.binary_cross_entropy_with_logits(fake - real, torch.zeros_like(real))
    for objective in (RelativisticClipped(), RelativisticClipped(clip=False)):
        terms = objective.discriminator(real, fake)
        assert terms[0] == terms[1]
        assert_close(sum(terms), theirs)
        for a, b in zip(gradients(sum(terms), real, fake), gradients(theirs, real, fake), strict=True):
            assert_close(a, b)


def test_relativistic_discriminator_starts_at_ln_2():
    same = maps(22)
    assert_close(sum(RelativisticClipped().discriminator(same, same)), scalar(LN2))


def test_pairwise_relativistic_rewards_everything():
    real, fake = maps(23), maps(24).requires_grad_()
    ours = RelativisticClipped(clip=False).generator(fake, real)
    theirs = F.binary_cross_entropy_with_logits(fake - real, torch.ones_like(real))
    assert_close(ours, theirs)
    (gradient,) = gradients(ours, fake)
    assert (gradient < 0).all()
    assert_close(gradient, gradients(theirs, fake)[0])


# What all have in common


@every_objective
def test_bfloat16_outputs_are_computed_in_float32(objective):
    real, fake = maps(25, dtype=torch.bfloat16), maps(26, dtype=torch.bfloat16)
    coarse = [objective.generator(fake, real), *objective.discriminator(real, fake)]
    fine = [objective.generator(fake.float(), real.float()), *objective.discriminator(real.float(), fake.float())]
    for a, b in zip(coarse, fine, strict=True):
        assert a.dtype is torch.float32
        assert a.shape == ()
        assert torch.equal(a, b)


@every_objective
def test_generator_takes_no_gradient_through_the_real(objective):
    real, fake = maps(27).requires_grad_(), maps(28).requires_grad_()
    of_real, of_fake = gradients(objective.generator(fake, real), real, fake)
    assert of_real is None
    assert of_fake.abs().sum() > 0


@every_objective
def test_generator_goes_up_and_discriminator_pulls_apart(objective):
    """Raising D(fake) pays for the generator; the discriminator wants real up and fake down. No cell goes astray."""
    real, fake = maps(29, spread=0.3).requires_grad_(), maps(30, spread=0.3).requires_grad_()
    (up,) = gradients(objective.generator(fake, real), fake)
    assert (up <= 0).all()
    assert up.min() < 0
    of_real, of_fake = gradients(sum(objective.discriminator(real, fake)), real, fake)
    assert (of_real <= 0).all()
    assert of_real.min() < 0
    if not isinstance(objective, LeastSquares):  # its target of a fake is 0, not as low as can be
        assert (of_fake >= 0).all()
        assert of_fake.max() > 0


@every_objective
def test_generator_compares_only_where_it_says_so(objective):
    fake = maps(31)
    if objective.compares:
        with pytest.raises(ValueError, match=r"relativistic objective needs D\(real\)"):
            objective.generator(fake, None)
    else:
        assert torch.equal(objective.generator(fake, None), objective.generator(fake, maps(32)))


@every_objective
def test_labels_matter_only_where_it_says_so(objective):
    real, fake, label = maps(33), maps(34), torch.full((3, 1, 4, 5), 0.3)
    plain, soft = objective.discriminator(real, fake), objective.discriminator(real, fake, (1 - label, label))
    assert objective.soft == (sum(plain) != sum(soft)).item()


def test_only_wasserstein_has_a_penalty():
    assert {name: o.penalty for name, o in OBJECTIVES.items() if o.penalty} == {"wasserstein": 10.0}


def test_float64_outputs_stay_float64():
    x = maps(35, dtype=torch.float64)
    assert bce(x, 1.0).dtype is torch.float64
    assert_close(bce(x, 0.3), entropy(x, 0.3))


# Gradient penalties, on critics whose slopes are known


def linear_critic(weight, pictures):
    return (weight * pictures).flatten(1).sum(dim=1)


def test_gradient_norms_of_a_linear_critic():
    """The slope is the weight itself: 2 in each of 3 * 2 * 2 places has norm sqrt(48)."""
    pictures = torch.rand(5, 3, 2, 2, requires_grad=True)
    norms = gradient_norms(linear_critic(torch.full((3, 2, 2), 2.0), pictures), pictures)
    assert_close(norms, torch.full((5,), math.sqrt(48)))
    assert_close(gradient_penalty(norms), scalar((math.sqrt(48) - 1) ** 2))
    assert_close(r1(norms, 10.0), scalar(240.0))  # 10 / 2 * 48


def test_gradient_norms_of_a_quadratic_critic():
    """D(x) = a |x|^2 / 2 has the slope a x, of another length for each picture."""
    pictures = torch.rand(4, 3, 2, 5, requires_grad=True)
    norms = gradient_norms(1.5 * pictures.flatten(1).square().sum(dim=1) / 2, pictures)
    lengths = 1.5 * pictures.detach().flatten(1).norm(dim=1)
    assert_close(norms, lengths)
    assert_close(gradient_penalty(norms), (lengths - 1).square().mean())
    assert_close(r1(norms, 3.0), 1.5 * lengths.square().mean())


def test_a_flat_critic_is_penalised_as_a_steep_one():
    # (0.25 - 1)^2 and (1.75 - 1)^2: the two-sided penalty of the paper, not the one-sided of its appendix.
    assert_close(gradient_penalty(torch.tensor([0.25, 1.75])), scalar(0.5625))
    assert_close(gradient_penalty(torch.tensor([0.25])), scalar(0.5625))


def test_penalty_is_zero_for_slope_1():
    pictures = torch.rand(2, 1, 2, 2, requires_grad=True)
    norms = gradient_norms(linear_critic(torch.full((1, 2, 2), 0.5), pictures), pictures)  # sqrt(4 / 4)
    assert_close(gradient_penalty(norms), scalar(0.0))


def test_penalties_reach_the_weights_of_a_linear_critic():
    """d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|, and d/dw gamma/2 |w|^2 = gamma w."""
    weight = torch.linspace(-1, 2, 12).view(3, 2, 2).requires_grad_()
    pictures = torch.rand(4, 3, 2, 2, requires_grad=True)
    norms = gradient_norms(linear_critic(weight, pictures), pictures)
    length = weight.detach().norm()
    (of_penalty,) = torch.autograd.grad(gradient_penalty(norms), weight, retain_graph=True)
    assert_close(of_penalty, 2 * (length - 1) * weight.detach() / length)
    (of_r1,) = torch.autograd.grad(r1(norms, 4.0), weight)
    assert_close(of_r1, 4 * weight.detach())


def test_penalties_reach_the_factor_of_a_quadratic_critic():
    """With norms a |x|: d/da (a |x| - 1)^2 = 2 |x| (a |x| - 1), and d/da gamma/2 a^2 |x|^2 = gamma a |x|^2."""
    factor = torch.tensor(0.7, requires_grad=True)
    pictures = torch.rand(4, 3, 2, 2, requires_grad=True)
    norms = gradient_norms(factor * pictures.flatten(1).square().sum(dim=1) / 2, pictures)
    lengths = pictures.detach().flatten(1).norm(dim=1)
    (of_penalty,) = torch.autograd.grad(gradient_penalty(norms), factor, retain_graph=True)
    assert_close(of_penalty, (2 * lengths * (0.7 * lengths - 1)).mean())
    (of_r1,) = torch.autograd.grad(r1(norms, 2.0), factor)
    assert_close(of_r1, (2 * 0.7 * lengths.square()).mean())


def test_gradient_norms_of_a_network_against_finite_differences():
    """Of one picture in float64: each place moved by 1e-6 both ways."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Softplus(), nn.Conv2d(4, 1, 1)).double()
    picture = torch.rand(1, 1, 4, 4, dtype=torch.float64)

    def score(x):
        return network(x).flatten(1).mean(dim=1)

    slopes = []
    for place in range(16):
        step = torch.zeros(16, dtype=torch.float64)
        step[place] = 1e-6
        step = step.view(1, 1, 4, 4)
        slopes.append((score(picture + step) - score(picture - step)).item() / 2e-6)
    moved = picture.clone().requires_grad_()
    norm = gradient_norms(score(moved), moved)
    # Finite differences carry errors of 1e-10; compared as float32.
    assert_close(norm.float(), torch.tensor([math.hypot(*slopes)]))


def test_a_flat_critic_has_finite_gradients():
    """The root has no slope at 0: a critic without weights must not give NaN."""
    weight = torch.zeros(3, 2, 2, requires_grad=True)
    pictures = torch.rand(2, 3, 2, 2, requires_grad=True)
    norms = gradient_norms(linear_critic(weight, pictures), pictures)
    assert_close(norms, torch.zeros(2))
    (gradient,) = torch.autograd.grad(gradient_penalty(norms), weight)
    assert gradient.isfinite().all()


def test_r1_is_linear_in_gamma():
    norms = torch.tensor([1.0, 3.0])  # mean of squares 5
    assert_close(torch.stack([r1(norms, g) for g in (0.0, 1.0, 10.0)]), torch.tensor([0.0, 2.5, 25.0]))


# Refusals


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 1.0, math.nan])
def test_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match=rf"smoothing={smoothing} .*at least 0 and below 0\.5.*usual value is 0\.1"):
        CrossEntropy(smoothing)


@pytest.mark.parametrize("penalty", [-1.0, math.inf, math.nan])
def test_penalty_out_of_range_is_refused(penalty):
    with pytest.raises(ValueError, match=rf"penalty={penalty} .*number from 0 on.*paper takes 10"):
        Wasserstein(penalty)
