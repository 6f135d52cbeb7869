"""Consistency, mismatched pairs, and opinions that do not count: against plain computations."""

import math

import pytest
import torch
from torch import nn

from sr.discriminators.patchgan import PatchGan
from sr.losses.gan import CrossEntropy, MeanProbability, RelativisticAverage, bce
from sr.training.adversary import min_loss
from sr.training.adversary.min_loss import MinLoss
from sr.training.adversary.shows import Shows
from sr.training.adversary.swap import RegionSwap, label_map, swapped
from tests.adversary_pieces import CPU, adversary, draws, exact, judged, pictures, rand, saved, small, views_of
from tests.close import assert_close


def pixel_by_pixel():
    """Its verdict on a pixel depends on that pixel alone."""
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))
    network.cell, network.margin = 1, 0
    return network


def mixing(network, consistency):
    swap = RegionSwap(smallest=4, largest=0.5, probability=1.0, fewest=1)
    return adversary(network, CrossEntropy(), Shows(2, swap=swap), consistency=consistency)


def test_verdicts_that_look_at_each_pixel_alone_are_consistent():
    assert judged(mixing(pixel_by_pixel(), 2.0)).penalty.item() < 1e-10


def test_consistency_against_a_plain_computation():
    network = small(norm=False)
    opponent = mixing(network, 3.0)
    sr, hr, lr = pictures()
    verdict = judged(opponent)
    mask = opponent.shows.swap.mask(draws(2).within("step 0"), 16, 16, CPU)
    share = label_map(mask, (8, 8), (2, -1))
    mixed_hr, mixed_sr = swapped(mask, hr, sr)
    off_hr = network(mixed_hr) - (share * network(sr) + (1 - share) * network(hr))
    off_sr = network(mixed_sr) - (share * network(hr) + (1 - share) * network(sr))
    assert_close(verdict.penalty, 3 * (off_hr.square().mean() + off_sr.square().mean()) / 2)
    assert_close(verdict.total, verdict.real + verdict.fake + verdict.penalty)
    assert judged(opponent, learns=False).penalty is None
    assert opponent.trial(views_of(sr, hr, lr), draws(2), exact()).isfinite()


def test_mismatched_pairs_against_a_plain_computation():
    """A third each of real, fake, and the mean of both beside the low resolution of the picture before them."""
    network = small(channels=6, norm=False)
    opponent = adversary(network, CrossEntropy(), Shows(2, condition="bicubic"), mismatched=True)
    sr, hr, lr = pictures(batch=3)
    verdict = judged(opponent, batch=3)
    beside = views_of(sr, hr, lr)["bicubic(lr)"]
    wrong = beside[[2, 0, 1]]
    real = bce(network(torch.cat([hr, beside], 1)), 1.0)
    fake = bce(network(torch.cat([sr, beside], 1)), 0.0)
    mismatched = [bce(network(torch.cat([one, wrong], 1)), 0.0) for one in (hr, sr)]
    assert_close(verdict.real, real / 3)
    assert_close(verdict.fake, (fake + sum(mismatched) / 2) / 3)


def test_processes_that_train_together_let_go_alike(monkeypatch):
    """The other has a loss that is 1 larger: the mean is 0.75 here, and not below 0.5."""
    monkeypatch.setattr(min_loss, "average_over_processes", lambda loss: loss + 0.5)
    gate, x = MinLoss(0.5), torch.tensor(0.25, requires_grad=True)
    losses = [gate(1 * x) for _ in range(10)]
    assert losses[-1].requires_grad
    losses[-1].backward()
    assert x.grad.item() == 1


def test_an_opinion_below_the_number_for_ten_updates_gives_no_gradient():
    gate = MinLoss(0.5)

    def gradient(gate, value):
        x = torch.tensor(value, requires_grad=True)
        loss = gate(2 * x)
        assert loss.item() == 2 * value
        loss.backward()
        return x.grad.item()

    assert [gradient(gate, 0.125) for _ in range(9)] == [2.0] * 9  # nine values are no ten
    assert gradient(gate, 0.125) == 0.0
    again = MinLoss(0.5)
    again.load_state_dict(saved(gate.state_dict()), CPU)
    assert gradient(again, 0.125) == 0.0
    assert gradient(gate, 2.0) == 2.0  # (9 x 0.25 + 4) / 10 = 0.625
    assert gradient(gate, 0.125) == 2.0  # that one is still among them


def test_mean_probability_by_hand():
    """sigmoid(ln 3) = 3/4: the generator loses 1/4, the discriminator 1/4 for real and 3/4 for fake."""
    three = torch.full((1, 1, 1, 1), math.log(3))
    assert_close(MeanProbability().generator(three), torch.tensor(0.25))
    real, fake = MeanProbability().discriminator(three, three)
    assert_close(real, torch.tensor(0.25))
    assert_close(fake, torch.tensor(0.75))
    half = MeanProbability().discriminator(three, three, (0.5, 0.5))
    assert_close(torch.stack(half), torch.tensor([0.5, 0.5]))


SWAP = Shows(2, swap=RegionSwap())
BESIDE = Shows(2, condition="bicubic")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"consistency": -1.0}, r"consistency=-1\.0 must be a number from 0 on"),
        (
            {"consistency": 1.0},
            r"consistency=1 is about swapped regions, and shows\.swap is null; take adversary=pix_gan",
        ),
        (
            {"consistency": 1.0, "shows": SWAP, "network": PatchGan(3, features=2, reduce="mean")},
            r"consistency=1 compares regions, and PatchGan gives one verdict on the whole picture",
        ),
        ({"mismatched": True}, r"shows\.condition=none shows none; take shows\.condition=bicubic"),
        (
            {"mismatched": True, "shows": Shows(2, condition="bicubic", swap=RegionSwap())},
            r"set shows\.swap=null or mismatched=false",
        ),
        (
            {"mismatched": True, "shows": BESIDE, "objective": RelativisticAverage()},
            "RelativisticAverage does not; take CrossEntropy, LeastSquares or Hinge",
        ),
        ({"min_loss": 0.0}, r"min_loss=0\.0 must be a positive number"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        adversary(**settings)


def test_the_window_of_min_loss_is_in_the_state_of_the_adversary():
    opponent = adversary(min_loss=0.5)
    opponent.min_loss(rand(1)[0])
    other = adversary(min_loss=0.5)
    other.load_state_dict(saved(opponent.state_dict()), CPU)
    assert other.min_loss.state_dict() == opponent.min_loss.state_dict()
