"""How an adversary judges and learns, alone and in a training step."""

import copy
import math
import re
from functools import partial

import lightning
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sr.augmentations.sequence import Sequence
from sr.data.crops import Batch
from sr.discriminators.patch import Patch
from sr.draws import Draws
from sr.image.gradient_map import gradient_map
from sr.losses.gan import (
    CrossEntropy,
    Hinge,
    LeastSquares,
    RelativisticAverage,
    RelativisticClipped,
    Wasserstein,
)
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1
from sr.losses.weights import Constant as ConstantWeight
from sr.losses.weights import Phases, RaiseWhileImproving
from sr.models.espcn import Espcn
from sr.training.adversary.noise import InstanceNoise
from sr.training.adversary.policy import Stepper, UpdatePolicy
from sr.training.adversary.replay import BatchStore, ImagePool
from sr.training.adversary.shows import Shows
from sr.training.adversary.swap import Cells, RegionSwap, cells_of, label_map
from sr.training.clock import Clock
from sr.training.module import SuperResolution
from sr.training.optimisers import make_optimizer
from sr.training.precision import choose_compute
from sr.training.schedules import Constant, Plateau
from sr.types import UserError
from tests.adversary_pieces import (
    CPU,
    adversary,
    draws,
    exact,
    judged,
    pictures,
    rand,
    same_state,
    saved,
    small,
    state_of,
    statistics_move,
    views_of,
)
from tests.close import assert_close
from tests.loops import fit


@pytest.mark.parametrize(
    "objective", [LeastSquares(), CrossEntropy(), Hinge(), RelativisticAverage(), RelativisticClipped(clip=False)]
)
def test_generator_loss_reaches_the_generator_alone(objective):
    opponent = adversary(objective=objective)
    opponent.network.requires_grad_(False)
    sr, hr, lr = pictures()
    sr.requires_grad_()
    hr.requires_grad_()
    loss = opponent.generator_loss(views_of(sr, hr, lr), draws(2), exact(), resting=False)
    loss.backward()
    assert loss.shape == ()
    assert sr.grad.abs().sum() > 0
    assert hr.grad is None
    assert all(p.grad is None for p in opponent.network.parameters())


@pytest.mark.parametrize("judge", ["train", "eval"])
def test_generator_loss_against_a_plain_computation(judge):
    """Least squares by PyTorch on the network's answer in the same mode, with its gradient."""
    opponent, plain = adversary(judge=judge), small()
    plain.train(judge == "train")
    sr, hr, lr = pictures()
    ours, theirs = sr.clone().requires_grad_(), sr.clone().requires_grad_()
    loss = opponent.generator_loss(views_of(ours, hr, lr), draws(2), exact(), resting=False)
    output = plain(theirs)
    expected = F.mse_loss(output, torch.ones_like(output))
    loss.backward()
    expected.backward()
    assert_close(loss, expected)
    assert_close(ours.grad, theirs.grad)


def test_generator_loss_compares_the_same_windows():
    """SR equal to HR has d = 0 everywhere, whatever the shift: softplus(0) = ln 2."""
    opponent = adversary(small(6), RelativisticClipped(), Shows(2, "bicubic", shift=4))
    _, hr, lr = pictures()
    loss = opponent.generator_loss(views_of(hr, hr, lr), draws(2), exact(), resting=False)
    assert_close(loss, torch.tensor(math.log(2)))


def test_generator_is_judged_without_noise_and_swap():
    noisy = Shows(2, noise=InstanceNoise(0.5), swap=RegionSwap(4, 2, 0.5, 1.0))
    sr, hr, lr = pictures()
    losses = [
        adversary(shows=s).generator_loss(views_of(sr, hr, lr), draws(2), exact(), False) for s in (noisy, Shows(2))
    ]
    assert torch.equal(*losses)


@pytest.mark.parametrize("objective", [LeastSquares(), RelativisticAverage()])
@pytest.mark.parametrize(
    ("judge", "throttled", "moves"), [("train", 0, 1), ("train", 1, 0), ("eval", 0, 0), ("eval", 1, 0)]
)
def test_statistics_move_where_it_judges_as_it_learns(judge, throttled, moves, objective):
    opponent = adversary(objective=objective, judge=judge)
    before = state_of(opponent.network)
    opponent.generator_loss(views_of(*pictures()), draws(2), exact(), resting=bool(throttled))
    assert statistics_move(opponent.network, before) is bool(moves)
    forwards = (2 if objective.compares else 1) if moves else 0
    assert opponent.network[1].num_batches_tracked == forwards


@pytest.mark.parametrize("objective", [LeastSquares(), CrossEntropy(), Wasserstein(), RelativisticClipped()])
def test_a_verdict_that_only_measures_moves_nothing(objective):
    opponent = adversary(objective=objective, r1_gamma=1.0)
    before = state_of(opponent.network)
    verdict = judged(opponent, learns=False)
    assert same_state(opponent.network, before)
    assert not verdict.total.requires_grad
    assert verdict.penalty is None
    assert all(p.grad is None for p in opponent.network.parameters())
    assert torch.is_grad_enabled()


def test_a_verdict_that_only_measures_is_in_evaluation_mode():
    opponent, plain = adversary(), small().eval()
    sr, hr, _ = pictures()
    verdict = judged(opponent, learns=False)
    assert_close(verdict.real, (plain(hr) - 1).square().mean())
    assert_close(verdict.fake, plain(sr).square().mean())


def test_verdict_against_a_plain_computation():
    opponent, plain = adversary(), small()
    sr, hr, _ = pictures()
    verdict = judged(opponent)
    of_real, of_fake = plain(hr), plain(sr)
    assert_close(verdict.real, F.mse_loss(of_real, torch.ones_like(of_real)))
    assert_close(verdict.fake, F.mse_loss(of_fake, torch.zeros_like(of_fake)))
    assert_close(verdict.output_real, of_real.mean())
    assert_close(verdict.output_fake, of_fake.mean())
    assert verdict.penalty is None
    assert_close(verdict.total, verdict.real + verdict.fake)
    verdict.total.backward()
    (F.mse_loss(of_real, torch.ones_like(of_real)) + of_fake.square().mean()).backward()
    for ours, theirs in zip(opponent.network.parameters(), plain.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad)
    # Real and fake are two batches with statistics of their own.
    assert opponent.network[1].num_batches_tracked == 2
    assert_close(opponent.network[1].running_mean, plain[1].running_mean)
    assert_close(opponent.network[1].running_var, plain[1].running_var)


def test_values_of_a_verdict_are_detached():
    verdict = judged(adversary(objective=Wasserstein(), network=small(norm=False)))
    values = verdict.values()
    assert set(values) == {"real", "fake", "total", "output_real", "output_fake", "penalty"}
    assert not any(v.requires_grad for v in values.values())
    assert_close(values["total"], values["real"] + values["fake"] + values["penalty"])
    assert "penalty" not in judged(adversary()).values()


def test_steps_of_a_batch_have_windows_and_noise_of_their_own():
    plain, shifted = adversary(), adversary(shows=Shows(2, shift=4))
    noisy = adversary(shows=Shows(2, noise=InstanceNoise(0.1)))
    for opponent, differ in ((plain, False), (shifted, True), (noisy, True)):
        exhibits = opponent.exhibits(views_of(*pictures()), draws(2))
        first, again, second = (opponent.verdict(exhibits, s, 0, exact(), False).real.item() for s in (0, 0, 1))
        assert first == again
        assert (first != second) is differ


def pointwise(weight):
    """A critic that answers each pixel with a weighted sum of its channels."""
    network = nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor(weight).view(1, 3, 1, 1))
    return network


def test_penalties_of_a_pointwise_critic():
    """The mean over 8x8 pixels of w x has the slope w / 64 at each: the norm is |w| / 8, 0.375 for w = (1, 2, 2).

    Gradient penalty 10 (0.375 - 1)^2 = 3.90625; R1 with gamma 6 is 3 * 0.375^2 = 0.421875.
    """
    weight = [1.0, 2.0, 2.0]
    gp = judged(adversary(pointwise(weight), Wasserstein(10.0)), side=8)
    assert_close(gp.penalty, torch.tensor(3.90625))
    regular = judged(adversary(pointwise(weight), r1_gamma=6.0), side=8)
    assert_close(regular.penalty, torch.tensor(0.421875))
    both = judged(adversary(pointwise(weight), Wasserstein(10.0), r1_gamma=6.0), side=8)
    assert_close(both.penalty, torch.tensor(3.90625 + 0.421875))
    assert_close(both.total, both.real + both.fake + both.penalty)


def test_penalties_reach_the_weights_of_the_network():
    """Norms as above: d/dw 10 (|w|/8 - 1)^2 = 20 (|w|/8 - 1) w / (8 |w|), and d/dw gamma/2 |w|^2/64 = gamma w / 64."""
    weight = torch.tensor([1.0, 2.0, 2.0])
    opponent = adversary(pointwise(weight.tolist()), Wasserstein(10.0))
    (gradient,) = torch.autograd.grad(judged(opponent, side=8).penalty, opponent.network.weight)
    assert_close(gradient.flatten(), 20 * (0.375 - 1) * weight / 24)
    opponent = adversary(pointwise(weight.tolist()), r1_gamma=6.0)
    (gradient,) = torch.autograd.grad(judged(opponent, side=8).penalty, opponent.network.weight)
    assert_close(gradient.flatten(), 6 * weight / 64)


def test_gradient_penalty_is_taken_between_real_and_fake():
    """A critic that answers x^2 has the slope 2 x / n, so the penalty tells where between 0.2 and 0.8 it was taken."""

    class Square(nn.Module):
        def forward(self, shown):
            return shown.square().mean(dim=1, keepdim=True)

    opponent = adversary(Square(), Wasserstein(1.0))
    real, fake, lr = torch.full((1, 3, 4, 4), 0.2), torch.full((1, 3, 4, 4), 0.8), torch.zeros(1, 3, 2, 2)

    def penalty(sample):
        exhibits = opponent.exhibits(views_of(fake, real, lr), draws(1, sample))
        return opponent.verdict(exhibits, 0, 0, exact(), True).penalty

    # Of n = 48 places with 2 x / 48 each the norm is 2 x / sqrt(48), which is below 1.
    points = torch.stack([(1 - penalty(sample).sqrt()) * math.sqrt(48) / 2 for sample in range(64)])
    assert points.min() > 0.2
    assert points.max() < 0.8
    assert points.max() - points.min() > 0.5  # 64 uniform numbers leave out a sixth with a chance of 1e-4
    assert penalty(0) == penalty(0) != penalty(1)


def test_r1_every_so_many_of_its_updates_is_so_many_times_as_strong():
    """Its own updates count: with the run's a discriminator that rests at the wrong times would never meet it."""
    opponent = adversary(pointwise([1.0, 2.0, 2.0]), r1_gamma=6.0, r1_every=4)
    penalties = []
    for learned in range(9):
        opponent.learned = learned
        penalties.append(judged(opponent, side=8, updates=2 * learned + 1).penalty)
    assert [u for u, p in enumerate(penalties) if p is not None] == [0, 4, 8]
    assert_close(penalties[4], torch.tensor(4 * 0.421875))


@pytest.mark.parametrize("kind", ["r1", "between"])
def test_penalties_look_at_the_pictures_and_not_at_their_condition(kind):
    """A map w x + v c of pictures x and conditions c has the gradient w everywhere, whatever v is."""
    options = {"r1_gamma": 2.0} if kind == "r1" else {"objective": Wasserstein(1.0)}
    found = []
    for condition in (0.0, 100.0):
        network = nn.Conv2d(6, 1, 1)
        with torch.no_grad():
            network.weight.copy_(torch.tensor([3.0, 0.0, 4.0, *(condition,) * 3]).view(1, 6, 1, 1))
        found.append(judged(adversary(network, shows=Shows(2, "bicubic"), **options), side=8).penalty)
        # Each of n = 64 cells has the slope 5 / 64 along its pixel, so the norm is 5 / 8.
        assert_close(found[-1].detach(), torch.tensor(25 / 64 if kind == "r1" else (1 - 5 / 8) ** 2))
        found[-1].backward()
        assert network.weight.grad[0, 3:].abs().max() == 0 < network.weight.grad[0, 0].abs().max()
    assert torch.equal(*found)


def test_r1_leaves_the_pictures_alone():
    opponent = adversary(r1_gamma=1.0)
    sr, hr, lr = pictures()
    verdict = opponent.verdict(opponent.exhibits(views_of(sr, hr, lr), draws(2)), 0, 0, exact(), True)
    verdict.total.backward()
    assert not hr.requires_grad
    assert hr.grad is None
    assert all(p.grad is not None for p in opponent.network.parameters())


def test_old_batches_add_to_the_fake_term():
    """Least squares with every batch kept: the mean square of each, summed, and gradient from all of them."""
    opponent, plain = adversary(small(norm=False), replay=BatchStore(10, share=1.0)), small(norm=False)
    expected = torch.zeros(())
    for number in range(3):
        sr = pictures(seed=number)[0]
        verdict = judged(opponent, first=2 * number, seed=number)
        # The store rounds to half precision: compared with the newest as it is and the old ones rounded.
        newest = plain(sr).square().mean()
        assert_close(verdict.fake, expected + newest)
        assert_close(verdict.output_fake, plain(sr).mean())
        expected = expected + plain(sr.half().float()).square().mean()
    verdict.fake.backward()
    (newest + expected - plain(pictures(seed=2)[0].half().float()).square().mean()).backward()
    for ours, theirs in zip(opponent.network.parameters(), plain.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad)


def test_a_pool_takes_the_place_of_new_fakes():
    """A pool of one that always exchanges gives back the fake before."""
    opponent, plain = adversary(small(norm=False), replay=ImagePool(1, probability=1.0)), small(norm=False)
    for number in range(4):
        verdict = judged(opponent, batch=1, first=number, seed=number)
        before = pictures(1, seed=max(0, number - 1))[0]
        assert_close(verdict.fake, plain(before).square().mean())


def test_swapped_regions_come_with_their_labels():
    """A critic that answers 60 (x - 0.5) is right at each pixel of real 1 and fake 0, so right labels cost nothing."""

    class Sure(nn.Module):
        cell, margin = 1, 0

        def forward(self, shown):
            return 60 * (shown[:, :1] - 0.5)

    shows = Shows(2, swap=RegionSwap(boxes=4, smallest=4, largest=0.5, probability=1.0))
    opponent = adversary(Sure(), CrossEntropy(), shows)
    one, zero, lr = torch.ones(8, 3, 16, 16), torch.zeros(8, 3, 16, 16), torch.zeros(8, 3, 8, 8)
    verdict = opponent.verdict(opponent.exhibits(views_of(zero, one, lr), draws(8)), 0, 0, exact(), False)
    assert_close(verdict.total, torch.tensor(0.0))
    assert -30 < verdict.output_fake < 30  # there were swaps
    assert_close(verdict.output_fake, -verdict.output_real)


@pytest.mark.parametrize("trim", [0, 2])
def test_swapped_regions_come_with_their_labels_in_a_trimmed_map(trim):
    network = Patch(3, ["1x1", "pool"], norm="none", negative_slope=1.0, trim=trim)
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
        network.layers[0].weight[0, 0] = 1.0
        network.layers[-1].weight.fill_(60.0)
        network.layers[-1].bias.fill_(-30.0)
    # Boxes of 8x8 pixels; those at even places are whole cells, where right labels cost nothing.
    shows = Shows(2, swap=RegionSwap(boxes=1, smallest=8, largest=0.25, probability=1.0))
    opponent = adversary(network, CrossEntropy(), shows)
    one, zero, lr = torch.ones(1, 3, 32, 32), torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 16, 16)
    some = 0
    for sample in range(60):
        mask = shows.swap.mask(draws(1, sample).within("step 0"), 32, 32, CPU)
        cells = label_map(mask, (16, 16), Cells(2, 0))
        if cells.max() == 0 or (cells % 1).any():
            continue  # no box, or one that does not fall on whole cells
        some += 1
        verdict = opponent.verdict(opponent.exhibits(views_of(zero, one, lr), draws(1, sample)), 0, 0, exact(), False)
        assert_close(verdict.total, torch.tensor(0.0))
        assert_close(verdict.floor, torch.tensor(0.0))
    assert some >= 3


def test_exhibits_carry_no_graph():
    """All that makes them runs without gradient, so they must not lead back to the generator."""
    opponent = adversary()
    sr, hr, lr = pictures()
    exhibits = opponent.exhibits(views_of(sr.requires_grad_(), hr, lr), draws(2))
    assert not any(fake.requires_grad for fake in exhibits.fakes)


def test_a_critic_gains_nothing_from_a_constant_with_old_fakes():
    """A Wasserstein critic is defined up to a constant: adding it must not change its loss, old fakes or not."""
    totals = []
    for constant in (0.0, -5.0):
        network = small(norm=False)
        with torch.no_grad():
            network[-1].bias += constant
        opponent = adversary(network, Wasserstein(), replay=ImagePool(10, probability=1.0))
        totals.append([judged(opponent, first=2 * n, seed=n).total for n in range(8)])
    assert_close(torch.stack(totals[1]), torch.stack(totals[0]))


@pytest.mark.parametrize("shows", [Shows(2, shift=4), Shows(2, noise=InstanceNoise(0.1))], ids=["shift", "noise"])
def test_old_batches_of_another_size(shows):
    """As after a resume with another data.batch_size."""
    opponent = adversary(shows=shows, replay=BatchStore(10, share=1.0))
    judged(opponent, batch=3)
    verdict = judged(opponent, batch=2, first=3)
    assert verdict.fake.isfinite()


def test_draws_of_a_verdict_belong_to_samples():
    """Without batch statistics a batch of four is the mean of its halves, with shift, noise, swap and penalties."""
    shows = Shows(2, shift=4, noise=InstanceNoise(0.1), swap=RegionSwap(4, 2, 0.5, 1.0))
    opponent = adversary(small(norm=False), LeastSquares(), shows, r1_gamma=1.0)
    sr, hr, lr = pictures(4)

    def of(part):
        numbers = Draws(0, np.arange(4)[part])
        return opponent.verdict(opponent.exhibits(views_of(sr[part], hr[part], lr[part]), numbers), 0, 0, exact(), True)

    whole, halves = of(slice(0, 4)), [of(slice(0, 2)), of(slice(2, 4))]
    for key, value in whole.values().items():
        assert_close(value, (halves[0].values()[key] + halves[1].values()[key]) / 2)


@pytest.mark.parametrize("learns", [True, False])
def test_under_autocast_networks_are_coarse_and_losses_fine(learns):
    opponent, plain = adversary(), adversary()
    sr, hr, lr = pictures()
    coarse = torch.autocast("cpu", torch.bfloat16)
    verdict = opponent.verdict(opponent.exhibits(views_of(sr, hr, lr), draws(2)), 0, 0, coarse, learns)
    assert all(value.dtype is torch.float32 for value in verdict.values().values())
    expected = judged(plain, learns=learns).values()
    for key, value in verdict.values().items():
        assert_close(value.to(torch.bfloat16), expected[key])
        assert value != expected[key]


def test_weight_waits_for_the_start():
    opponent = adversary(policy=UpdatePolicy(start=3, stop=6), weight=Phases([(0, 0.5), (5, 0.2)]))
    assert [opponent.weight(u) for u in range(8)] == [0, 0, 0, 0.5, 0.5, 0.2, 0.2, 0.2]
    assert adversary(weight=ConstantWeight(0.3)).weight(0) == 0.3


def test_optimizer_takes_what_can_be_trained():
    opponent = adversary()
    opponent.network[0].requires_grad_(False)
    (group,) = make_optimizer(opponent.optimizer, opponent.network, "adversary.d.optimizer").param_groups
    wanted = [*opponent.network[1].parameters(), *opponent.network[3].parameters()]
    assert len(group["params"]) == len(wanted)
    assert all(a is b for a, b in zip(group["params"], wanted, strict=True))
    assert group["lr"] == 0.1


def test_observe_tells_rates_the_value_and_weights_the_gain():
    schedule = Plateau(factor=0.5, patience=1, mode="min")
    opponent = adversary(schedule=schedule, weight=RaiseWhileImproving(0.1, 2.0, 1.0))
    for error in (0.5, 0.4):  # less is better: the gain is its negative
        opponent.observe(error, -error)
    assert opponent.weight(0) == pytest.approx(0.2)
    assert schedule.factor(0, 0.0) == 1
    opponent.observe(0.6, -0.6)
    assert opponent.weight(0) == pytest.approx(0.1)
    assert schedule.factor(0, 0.0) == 0.5


def test_schedules_of_noise_and_swap_listen_and_are_saved():
    def listening():
        rise = [RaiseWhileImproving(0.1, 2.0, 1.0) for _ in range(2)]
        shows = Shows(2, noise=InstanceNoise(rise[0]), swap=RegionSwap(probability=rise[1]))
        return adversary(shows=shows), rise

    (opponent, told), (again, restored) = listening(), listening()
    for gain in (1.0, 2.0):
        opponent.observe(-gain, gain)
    state = saved(opponent.state_dict())
    again.load_state_dict(state, CPU)
    assert [weight(0) for weight in (*told, *restored)] == [0.2] * 4
    del state["shows"]  # of an earlier version
    listening()[0].load_state_dict(state, CPU)


@pytest.mark.parametrize(
    ("objective", "more", "reason"),
    [
        (LeastSquares(), {}, None),
        (Wasserstein(), {}, "objective.penalty=10"),
        (Wasserstein(penalty=0.0), {}, None),
        (Hinge(), {"r1_gamma": 0.5}, "r1_gamma=0.5"),
    ],
)
def test_which_setting_needs_float32(objective, more, reason):
    assert adversary(objective=objective, **more).needs_float32 == reason


def complete(smallest=0.3):
    return adversary(
        policy=UpdatePolicy(stepper=Stepper(smallest, 0.4)),
        schedule=Plateau(factor=0.5, patience=1),
        weight=RaiseWhileImproving(0.1, 2.0, 1.0),
        replay=ImagePool(2, 0.5),
    )


def test_adversary_state_round_trip():
    opponent, again = complete(), complete()
    judged(opponent).total.backward()
    make_optimizer(opponent.optimizer, opponent.network, "adversary.d.optimizer").step()
    opponent.learned = 5
    for value in (1.0, 2.0, 0.5):
        opponent.observe(value, value)
    opponent.policy.note(torch.tensor(0.1))
    again.load_state_dict(saved(opponent.state_dict()), CPU)
    assert same_state(again.network, opponent.network.state_dict())
    assert again.policy.throttled()
    assert again.learned == 5
    assert again.weight(0) == opponent.weight(0)
    assert again.schedule.factor(0, 0.0) == opponent.schedule.factor(0, 0.0) == 0.5
    assert all(torch.equal(a, b) for a, b in zip(again.replay.kept, opponent.replay.kept, strict=True))
    assert len(again.replay.kept) == 2
    for number in (1, 2):
        a, b = (judged(o, first=2 * number, seed=number).total for o in (opponent, again))
        assert torch.equal(a, b)


def test_what_the_saved_run_did_not_have_begins_afresh():
    full, plain = complete(), adversary()
    full.load_state_dict(saved(plain.state_dict()), CPU)
    assert full.weight(0) == 0.1
    assert full.replay.kept == []
    assert not full.policy.throttled()
    judged(full)
    plain.load_state_dict(saved(full.state_dict()), CPU)
    assert same_state(plain.network, full.network.state_dict())


@pytest.mark.parametrize("other", [small(6), nn.Conv2d(3, 1, 1)])
def test_state_of_another_discriminator_is_refused(other):
    message = (
        r"checkpoint holds another discriminator than this (Sequential: size mismatch for 0\.weight.*"
        r"|Conv2d: Missing key\(s\) in state_dict: .*)…; leave discriminator, and what adversary shows it, as they were"
    )
    with pytest.raises(UserError, match=message):
        adversary(other).load_state_dict(adversary().state_dict(), CPU)


SWAP = Shows(2, swap=RegionSwap())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"objective": Hinge(), "shows": SWAP},
            r"shows\.swap gives labels between 0 and 1, which Hinge cannot use; take CrossEntropy or LeastSquares .*"
            r"shows\.swap=null",
        ),
        ({"objective": Wasserstein(), "shows": SWAP}, "which Wasserstein cannot use"),
        ({"objective": RelativisticAverage(), "shows": SWAP}, "which RelativisticAverage cannot use"),
        (
            {"objective": RelativisticClipped(), "replay": BatchStore()},
            "RelativisticClipped compares fakes with the real pictures of the same batch.*set replay=null",
        ),
        ({"objective": RelativisticAverage(), "replay": ImagePool()}, "RelativisticAverage compares .*set replay=null"),
        (
            {"objective": LeastSquares(), "shows": SWAP, "replay": ImagePool()},
            r"shows\.swap exchanges regions of a fake and its own truth.*set replay=null or shows\.swap=null",
        ),
        ({"r1_gamma": -1.0}, r"r1_gamma=-1\.0 must be a number from 0 on"),
        ({"r1_every": 0}, "r1_every=0 at least 1"),
        ({"clip": 0.0}, r"clip=0\.0 must be positive, or null for no clipping"),
        ({"weight": -0.1}, r"weight=-0\.1 is no loss weight; give a finite number of at least 0"),
        ({"weight": math.nan}, "weight=nan is no loss weight"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        adversary(**settings)


@pytest.mark.parametrize(
    "stated", [{}, {"cell": 8}, {"margin": 0}, {"cell": 0, "margin": 0}, {"cell": 8.0, "margin": 0}]
)
def test_a_discriminator_that_does_not_say_where_its_cells_lie_is_refused_for_swaps_alone(stated):
    network = nn.Conv2d(3, 1, 1)
    for key, value in stated.items():
        setattr(network, key, value)
    adversary(network)
    message = (
        "shows.swap labels every cell of the discriminator's map, and Conv2d does not say where its cells lie; give it "
        "the attributes cell (pixels per cell, None for one verdict on the whole picture) and margin (pixels before "
        "the first cell), or set shows.swap=null."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        adversary(network, shows=SWAP)


def test_what_a_discriminator_says_of_its_cells():
    network = Patch(3, ["3x8", "pool", "3x8", "pool"], trim=2)
    assert cells_of(network) == Cells(cell=4, margin=8)
    network.cell = None
    assert cells_of(network).cell is None


class Statistics(lightning.Callback):
    """Those of the discriminator after each update."""

    def __init__(self, network):
        self.network, self.seen = network, []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append(self.network[1].running_mean.clone())


def trained(opponent, updates):
    """Train against it; gives its statistics after each update."""
    data = []
    for number in range(updates):
        sr, _, lr = pictures(seed=number)
        hr, lr = ((255 * picture).to(torch.uint8) for picture in (sr, lr))
        data.append(Batch(lr, hr, torch.arange(2 * number, 2 * number + 2)))
    module = SuperResolution(
        network=Espcn(scale=2, features=4, dilations=[1]),
        objective=Objective({"l1": Term(1.0, L1())}),
        optimizer=partial(torch.optim.SGD, lr=0.01),
        schedule=Constant(),
        degradation=None,
        augmentation=Sequence({}),
        clock=Clock(updates, None),
        compute=choose_compute(CPU, "32", "off"),
        ema=None,
        adversaries={"d": opponent},
    )
    statistics = Statistics(opponent.network)
    fit(module, data, [statistics])
    return statistics.seen


class Resting(Stepper):
    """One whose discriminator is always too good."""

    def throttled(self):
        return True


@pytest.mark.parametrize(
    ("policy", "moves"),
    [
        (UpdatePolicy(), [True, True]),
        (UpdatePolicy(stepper=Resting(0.3, 0.4)), [False, False]),
        (UpdatePolicy(stop=1), [False, False]),
        (UpdatePolicy(every_epochs=9, epoch=1), [False, False]),
    ],
    ids=["learns", "throttled", "stopped", "epochs"],
)
def test_statistics_of_a_resting_discriminator_rest(policy, moves):
    first, second, third = trained(adversary(policy=policy, judge="train"), updates=3)
    assert [not torch.equal(first, second), not torch.equal(second, third)] == moves


@pytest.mark.parametrize(
    "parts",
    [
        {"shows": Shows(2, shift=4, noise=InstanceNoise(0.2), swap=RegionSwap(4, 2, 0.5, 1.0))},
        {"replay": ImagePool(3)},
        {"replay": BatchStore(4, share=0.5), "objective": CrossEntropy(0.1)},
        {"objective": Wasserstein(10.0), "shows": Shows(2, gradients=True)},
        {"objective": RelativisticAverage(), "r1_gamma": 2.0},
        {"objective": RelativisticClipped()},
    ],
)
def test_unpaired_pictures_are_real_wherever_the_truth_was(parts):
    """Shift, noise, swaps, old fakes, penalties and both sides' losses: all as if they were the truth."""
    (sr, hr, lr), other = pictures(), rand(2, 3, 16, 16, seed=9)
    values = []
    for views in (views_of(sr, hr, lr, real=other), views_of(sr, other, lr)):
        torch.manual_seed(0)
        rival = adversary(small(norm=False), **copy.deepcopy(parts))
        told = [rival.generator_loss(views, draws(2), exact(), resting=False)]
        for number in range(3):
            exhibits = rival.exhibits(views.detached(), draws(2, 2 * number))
            told += rival.verdict(exhibits, 0, 5, exact(), True).values().values()
        values.append(torch.stack([value.detach() for value in told]))
    assert torch.equal(*values)
    plain = adversary(small(norm=False), **copy.deepcopy(parts))
    exhibits = plain.exhibits(views_of(sr, hr, lr), draws(2))
    assert plain.verdict(exhibits, 0, 5, exact(), True).total != values[0][3]


@pytest.mark.parametrize("objective", [CrossEntropy(), RelativisticAverage()])
def test_two_fakes_count_half_each_for_the_discriminator_and_whole_for_the_generator(objective):
    # DL-Art-School: half the sum of both fakes' losses (30b16d5), and a second term beside the first (26a6a5d).
    (sr, hr, lr), branch = pictures(), rand(2, 3, 16, 16, seed=9).requires_grad_()
    network = small(norm=False)
    opponent = adversary(network, objective, Shows(2, gradients=True, also="branch"))
    views = views_of(sr.requires_grad_(), hr, lr, branch=branch)
    loss = opponent.generator_loss(views, draws(2), exact(), resting=False)
    real, first, second = network(gradient_map(hr)), network(gradient_map(sr)), network(branch)
    with torch.no_grad():
        given = real.clone()
    assert_close(loss, objective.generator(first, given) + objective.generator(second, given))
    assert all(grad.any() for grad in torch.autograd.grad(loss, [sr, branch]))
    made = opponent.verdict(opponent.exhibits(views.detached(), draws(2)), 0, 0, exact(), True)
    terms = [objective.discriminator(real, fake) for fake in (first, second)]
    assert_close(made.total, (sum(terms[0]) + sum(terms[1])) / 2)
    assert_close(made.output_fake, first.mean())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"replay": ImagePool(4, 0.5)}, "replay keeps one fake per picture, and shows.also=branch adds a second; set "),
        ({"shows": Shows(2, also="branch", swap=RegionSwap())}, "shows.swap exchanges regions of one fake per picture"),
    ],
)
def test_a_second_fake_has_no_old_ones_and_is_not_swapped(more, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        adversary(**{"objective": CrossEntropy(), "shows": Shows(2, also="branch")} | more)
