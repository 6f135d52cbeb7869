"""The training step against plain PyTorch loops, bit for bit, and who gets gradient from whom."""

from itertools import pairwise
from typing import NamedTuple

import pytest
import torch
from torch import nn

from sr.augmentations.flips import Flips
from sr.augmentations.sequence import Sequence
from sr.data.crops import Batch
from sr.draws import Draws
from sr.image.gradient_map import gradient_map
from sr.losses.gan import CrossEntropy, RelativisticAverage, Wasserstein, bce
from sr.losses.lr_consistency import downscaled
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1
from sr.losses.shift import shifted
from sr.losses.weights import Phases
from sr.models.bicubic import Bicubic
from sr.models.espcn import Espcn
from sr.training import views
from sr.training.adversary import turns
from sr.training.adversary.noise import InstanceNoise
from sr.training.adversary.policy import Stepper, UpdatePolicy
from sr.training.adversary.replay import BatchStore, ImagePool
from sr.training.adversary.shows import Shows
from sr.training.adversary.swap import RegionSwap, cells_of, label_map, swapped
from sr.training.clock import Clock
from sr.training.ema import Ema
from sr.training.module import SuperResolution
from sr.training.pairs import Given
from sr.training.precision import choose_compute
from sr.training.schedules import Cosine
from sr.types import UserError
from tests import opponents
from tests.close import assert_close
from tests.loops import fit
from tests.opponents import judge, opponent

CPU = torch.device("cpu")


def batches(count, size=2):
    generator = torch.Generator().manual_seed(3)
    made = []
    for number in range(count):
        hr = torch.randint(0, 256, (size, 3, 16, 16), generator=generator, dtype=torch.uint8)
        lr = torch.randint(0, 256, (size, 3, 8, 8), generator=generator, dtype=torch.uint8)
        made.append(Batch(lr, hr, torch.arange(number * size, (number + 1) * size)))
    return made


def network():
    torch.manual_seed(1)
    return Espcn(scale=2, features=8, dilations=[1])


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def build(
    net,
    updates,
    optimizer=adam,
    accumulate=1,
    clip=None,
    ema=None,
    adversaries=None,
    precision="32",
    weight=1.0,
    terms=None,
    parts=None,
):
    return SuperResolution(
        network=net,
        objective=Objective(terms or {"l1": Term(weight, L1())}),
        optimizer=optimizer,
        schedule=Cosine(final=0.1, warmup=3),
        degradation=None,
        augmentation=Sequence({}),
        clock=Clock(updates, None),
        compute=choose_compute(CPU, precision, "off"),
        ema=ema,
        adversaries=adversaries,
        accumulate=accumulate,
        clip=clip,
        parts=parts,
    )


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_supervised_step_equals_a_plain_loop_bit_for_bit(precision):
    data = batches(40)
    module = build(network(), updates=20, accumulate=2, clip=0.05, ema=Ema(0.9), precision=precision)
    fit(module, data)

    net = network()
    optimizer = adam(net.parameters())
    average = [p.detach().clone() for p in net.parameters()]
    schedule = Cosine(final=0.1, warmup=3)
    for update in range(20):
        for batch in data[2 * update : 2 * update + 2]:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                sr = net(batch.lr.float() / 255)
            loss = (sr.float() - batch.hr.float() / 255).abs().mean()
            (loss / 2).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.05)
        optimizer.param_groups[0]["lr"] = 1e-2 * schedule.factor(update, update / 20)
        optimizer.step()
        optimizer.zero_grad()
        decay = min(0.9, (1 + update) / (10 + update))
        average = [a.lerp(p.detach(), 1 - decay) for a, p in zip(average, net.parameters(), strict=True)]

    assert module.updates == 20
    assert module.batches == 40
    for ours, plain in zip(module.network.parameters(), net.parameters(), strict=True):
        assert torch.equal(ours, plain)
    for ours, plain in zip(module.ema.averaged().parameters(), average, strict=True):
        assert torch.equal(ours, plain)


def test_accumulating_equals_one_large_batch():
    small, large = batches(2, size=2), batches(2, size=2)
    joint = [Batch(torch.cat([b.lr for b in large]), torch.cat([b.hr for b in large]), torch.arange(4))]
    one, two = (build(network(), 1, optimizer=sgd, accumulate=a) for a in (1, 2))
    fit(one, joint)
    fit(two, small)
    for a, b in zip(one.network.parameters(), two.network.parameters(), strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_adversarial_step_equals_a_plain_loop_bit_for_bit(precision):
    # Two optimisers, accumulation 2, clipping of both, an average, a schedule each, a conditional discriminator.
    data = batches(40)
    rival = opponent(
        judge(6),
        shows=Shows(2, condition="bicubic"),
        optimizer=opponents.adam,
        schedule=Cosine(final=0.5, warmup=5),
        clip=0.5,
    )
    module = build(
        network(), updates=20, accumulate=2, clip=0.05, ema=Ema(0.9), adversaries={"d": rival}, precision=precision
    )
    fit(module, data)

    net, plain = network(), judge(6)
    optimizer_g, optimizer_d = adam(net.parameters()), opponents.adam(plain.parameters())
    schedule_g, schedule_d = Cosine(final=0.1, warmup=3), Cosine(final=0.5, warmup=5)
    average = [p.detach().clone() for p in net.parameters()]
    bicubic = Bicubic(2)
    for update in range(20):
        for batch in data[2 * update : 2 * update + 2]:
            lr, hr = batch.lr.float() / 255, batch.hr.float() / 255
            enlarged = bicubic(lr)
            autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
            with autocast:
                sr = net(lr)
            plain.requires_grad_(False)
            with autocast:
                judged = plain(torch.cat([sr.float(), enlarged], 1))
            loss_g = (sr.float() - hr).abs().mean() + 0.1 * ((judged.float() - 1) ** 2).mean()
            (loss_g / 2).backward()
            plain.requires_grad_(True)
            with autocast:
                real = plain(torch.cat([hr, enlarged], 1)).float()
                fake = plain(torch.cat([sr.detach().float(), enlarged], 1)).float()
            (((real - 1).square().mean() + fake.square().mean()) / 2).backward()
        for optimizer, schedule, rate, clip in (
            (optimizer_g, schedule_g, 1e-2, 0.05),
            (optimizer_d, schedule_d, 1e-3, 0.5),
        ):
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip)
            optimizer.param_groups[0]["lr"] = rate * schedule.factor(update, update / 20)
            optimizer.step()
            optimizer.zero_grad()
        decay = min(0.9, (1 + update) / (10 + update))
        average = [a.lerp(p.detach(), 1 - decay) for a, p in zip(average, net.parameters(), strict=True)]

    assert module.updates == 20
    assert_same(module.network, net)
    assert_same(rival.network, plain)
    for ours, other in zip(module.ema.averaged().parameters(), average, strict=True):
        assert torch.equal(ours, other)


def assert_same(ours, plain):
    for name, value in ours.state_dict().items():
        assert torch.equal(value, plain.state_dict()[name]), name


def test_several_discriminator_steps_and_batches_equal_a_plain_loop():
    # The generator learns from every third batch; the discriminator takes two steps on each, on the same fakes.
    data = batches(9)
    rival = opponent(judge(norm=True), policy=UpdatePolicy(d_steps=2, g_every=3), objective=CrossEntropy(0.1))
    module = build(network(), updates=3, adversaries={"d": rival})
    fit(module, data)

    net, plain = network(), judge(norm=True).train()
    optimizer_g, optimizer_d = adam(net.parameters()), opponents.sgd(plain.parameters())
    schedule = Cosine(final=0.1, warmup=3)
    for number, batch in enumerate(data):
        lr, hr = batch.lr.float() / 255, batch.hr.float() / 255
        sr = net(lr)
        if number % 3 == 2:
            judged = plain(sr)
            optimizer_g.param_groups[0]["lr"] = 1e-2 * schedule.factor(number // 3, number // 3 / 3)
            ((sr - hr).abs().mean() + 0.1 * bce(judged, 1.0)).backward()
            optimizer_g.step()
            optimizer_g.zero_grad()
        optimizer_d.zero_grad()
        for _ in range(2):
            real, fake = plain(hr), plain(sr.detach())
            (bce(real, 0.9) + bce(fake, 0.0)).backward()
            optimizer_d.step()
            optimizer_d.zero_grad()
    assert module.updates == 3
    assert_same(module.network, net)
    assert_same(rival.network, plain)


def test_the_log_has_the_first_of_several_discriminator_steps():
    """Later ones judge what it has just learned from: by them it would look further ahead than it is."""
    told = []
    for steps in (1, 3):
        module = build(network(), updates=1, adversaries={"d": opponent(policy=UpdatePolicy(d_steps=steps))})
        fit(module, batches(1))
        told.append({name: value for name, value in module.means.take().items() if name != "train/d/gradient"})
    assert told[0]["train/d/total"] > 0
    assert told[0] == told[1]


def test_a_discriminator_that_learns_first_equals_a_plain_loop():
    """Internship B6: one forward pass of G; D learns from it; then G is judged by what D has become."""
    data = batches(6)
    first = opponent(judge(norm=True), policy=UpdatePolicy(order="d_first", d_steps=2), objective=CrossEntropy(0.1))
    # Beside it one that learns afterwards, as all did before: each has its own turn.
    rivals = {"d": first, "d_after": opponent(weight=0.2)}
    module = build(network(), updates=6, adversaries=rivals, clip=0.5, ema=Ema(0.9))
    passes = []
    module.network.register_forward_hook(lambda *_: passes.append(module.batches))
    fit(module, data)
    assert passes == [1, 2, 3, 4, 5, 6]

    net, plain, after = network(), judge(norm=True).train(), judge()
    optimizer_g = adam(net.parameters())
    optimizers = [opponents.sgd(one.parameters()) for one in (plain, after)]
    schedule = Cosine(final=0.1, warmup=3)
    for update, batch in enumerate(data):
        lr, hr = batch.lr.float() / 255, batch.hr.float() / 255
        sr = net(lr)
        for _ in range(2):
            optimizers[0].zero_grad()
            (bce(plain(hr), 0.9) + bce(plain(sr.detach()), 0.0)).backward()
            optimizers[0].step()
        loss = (sr - hr).abs().mean()
        loss = loss + 0.1 * bce(plain(sr), 1.0) + 0.2 * (after(sr) - 1).square().mean()
        optimizer_g.param_groups[0]["lr"] = 1e-2 * schedule.factor(update, update / 6)
        optimizer_g.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer_g.step()
        optimizers[1].zero_grad()
        ((after(hr) - 1).square().mean() + after(sr.detach()).square().mean()).backward()
        optimizers[1].step()
    assert_same(module.network, net)
    assert_same(first.network, plain)
    assert_same(rivals["d_after"].network, after)


def test_learning_first_goes_with_several_batches_per_update_of_the_generator_and_with_a_stepper():
    data = batches(9)
    policy = UpdatePolicy(order="d_first", g_every=3, stepper=Stepper(rest_below=0.5, learn_above=0.5))
    rival = opponent(policy=policy)
    module = build(network(), updates=3, adversaries={"d": rival})
    fit(module, data)

    net, plain = network(), judge()
    optimizer_g, optimizer_d = adam(net.parameters()), opponents.sgd(plain.parameters())
    schedule, resting, before, rests = Cosine(final=0.1, warmup=3), False, None, []
    for number, batch in enumerate(data):
        lr, hr = batch.lr.float() / 255, batch.hr.float() / 255
        sr = net(lr)
        if before is not None:
            resting = before < 0.5 or (resting and before <= 0.5)
        rests.append(resting)
        optimizer_d.zero_grad()
        loss = (plain(hr) - 1).square().mean() + plain(sr.detach()).square().mean()
        before = float(loss.detach())
        if not resting:
            loss.backward()
            optimizer_d.step()
        if number % 3 == 2:
            optimizer_g.param_groups[0]["lr"] = 1e-2 * schedule.factor(number // 3, number // 3 / 3)
            optimizer_g.zero_grad()
            ((sr - hr).abs().mean() + 0.1 * (plain(sr) - 1).square().mean()).backward()
            optimizer_g.step()
    assert_same(module.network, net)
    assert_same(rival.network, plain)
    assert 0 < sum(rests) < 9, f"both states must occur to test anything, not {rests}"


class Two(NamedTuple):
    sr: torch.Tensor
    branch: torch.Tensor


class Branched(nn.Module):
    """A generator with a side output of the picture's size."""

    scale = 2

    def __init__(self):
        super().__init__()
        self.main, self.side = network(), nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, lr):
        return Two(self.main(lr), nn.functional.pixel_shuffle(self.side(lr), 2))


SPSR = {
    "l1": Term(1.0, L1()),
    "gradients": Term(0.5, L1(), "grad(sr),grad(hr)"),
    "branch": Term(Phases([(0, 0.0), (2, 0.3)]), L1(), "branch,grad(hr)"),
    "input": Term(2.0, L1(), "lr(sr),lr", shift=2),
}


@pytest.mark.parametrize("regenerate", [False, True])
def test_views_side_outputs_and_unpaired_pictures_equal_a_plain_loop(regenerate):
    # Losses on gradient maps, on a side output and on the input; one discriminator of pictures and one of gradient
    # maps, both with real pictures that belong to no others, which move, shift and swap like any.
    data = [b._replace(real=b.hr.flip(0, 2).roll(5, 3)) for b in batches(6)]
    policy = {"policy": UpdatePolicy(regenerate=regenerate)}
    rivals = {
        "d": opponent(shows=Shows(2, shift=4, swap=RegionSwap(2, 4, 0.5, 1.0)), **policy),
        "d_grad": opponent(shows=Shows(2, views="branch,grad(real)"), objective=RelativisticAverage(), **policy),
    }
    torch.manual_seed(4)
    module = build(Branched(), 6, adversaries=rivals, terms=SPSR, ema=Ema(0.9))
    torch.manual_seed(4)
    net, plain = Branched(), {"d": judge(), "d_grad": judge()}
    fit(module, data)

    optimizer_g = adam(net.parameters())
    optimizers = {name: opponents.sgd(p.parameters()) for name, p in plain.items()}
    schedule, swap, average = Cosine(final=0.1, warmup=3), RegionSwap(2, 4, 0.5, 1.0), RelativisticAverage()
    for update, batch in enumerate(data):
        draws = Draws(0, batch.samples.numpy())
        lr, hr, other = (x.float() / 255 for x in (batch.lr, batch.hr, batch.real))
        sr, branch = net(lr)
        edges, edges_wanted, small = gradient_map(sr), gradient_map(hr), downscaled(sr, 2, "bicubic")
        loss = (sr - hr).abs().mean() + 0.5 * (edges - edges_wanted).abs().mean()
        if update >= 2:
            loss = loss + 0.3 * (branch - edges_wanted).abs().mean()
        small, wanted = shifted(draws.within("loss").within("input"), 2, small, lr)
        loss = loss + 2.0 * (small - wanted).abs().mean()
        (window,) = shifted(draws.within("d").within("judged"), 4, sr)
        loss = loss + 0.1 * (plain["d"](window) - 1).square().mean()
        with torch.no_grad():
            real = plain["d_grad"](gradient_map(other))
        loss = loss + 0.1 * average.generator(plain["d_grad"](branch), real)
        optimizer_g.param_groups[0]["lr"] = 1e-2 * schedule.factor(update, update / 6)
        optimizer_g.zero_grad()
        loss.backward()
        optimizer_g.step()
        if regenerate:
            sr, branch = net(lr)
        step = draws.within("d").within("step 0")
        real, fake = shifted(step, 4, other, sr.detach())
        mask = swap.mask(step, 12, 12, CPU)
        real, fake = swapped(mask, real, fake)
        judged = plain["d"](real), plain["d"](fake)
        share = label_map(mask, judged[0].shape[-2:], cells_of(plain["d"]))
        losses = {"d": (judged[0] - (1 - share)).square().mean() + (judged[1] - share).square().mean()}
        real, fake = plain["d_grad"](gradient_map(other)), plain["d_grad"](branch.detach())
        losses["d_grad"] = sum(average.discriminator(real, fake))
        for name, optimizer in optimizers.items():
            optimizer.zero_grad()
            losses[name].backward()
            optimizer.step()
    assert_same(module.network, net)
    for name, rival in rivals.items():
        assert_same(rival.network, plain[name])


def test_views_are_derived_once_per_batch(monkeypatch):
    made = []
    monkeypatch.setattr(Bicubic, "forward", lambda self, lr, f=Bicubic.forward: (made.append("up"), f(self, lr))[1])
    monkeypatch.setattr(views, "gradient_map", lambda picture: (made.append("grad"), gradient_map(picture))[1])
    rivals = {
        "d": opponent(judge(6), shows=Shows(2, condition="bicubic")),
        "d_grad": opponent(judge(6), shows=Shows(2, condition="bicubic", gradients=True)),
    }
    fit(build(network(), 3, adversaries=rivals, terms={"g": Term(1.0, L1(), "grad(sr),grad(hr)")}), batches(3))
    # Gradient maps of SR, HR and (here the same under another name) of what is real; the enlarged LR, and another one
    # that the network adds to what it makes.
    assert sorted(made) == ["grad"] * 9 + ["up"] * 6


def test_unpaired_pictures_and_a_condition_are_refused():
    rival = opponent(judge(6), shows=Shows(2, condition="bicubic"))
    data = [b._replace(real=b.hr) for b in batches(1)]
    message = (
        r"adversary\.d\.shows\.condition=bicubic shows the enlarged LR .* unpaired real pictures have none; set it"
    )
    with pytest.raises(UserError, match=message):
        fit(build(network(), 1, adversaries={"d": rival}), data)


def test_unpaired_pictures_are_augmented_apart_from_the_others():
    module = build(network(), 1)
    module.augmentation = Sequence({"flips": Flips("rotations")})
    batch = batches(1, size=64)[0]
    lr, hr, real = module.pair(batch._replace(real=batch.hr))
    assert not torch.equal(hr, real)
    assert_close(hr.sum(dim=(2, 3)), real.sum(dim=(2, 3)))  # turned, and nothing else
    alone = module.pair(batch)
    assert torch.equal(alone.lr, lr)  # the pair does not move when others come along
    assert torch.equal(alone.hr, hr)
    assert alone.real is alone.hr


@pytest.mark.parametrize("kind", ["plain", "shift", "noise"])
def test_accumulating_equals_one_large_batch_against_an_adversary(kind):
    def rival():
        shows = Shows(
            2,
            condition="bicubic",
            shift=4 if kind == "shift" else 0,
            noise=InstanceNoise(0.1) if kind == "noise" else None,
        )
        return opponent(judge(6), shows=shows)

    large = batches(6)
    joint = [
        Batch(*(torch.cat([getattr(b, key) for b in large[i : i + 3]]) for key in ("lr", "hr", "samples")))
        for i in (0, 3)
    ]
    rivals = rival(), rival()
    one = build(network(), 2, optimizer=sgd, adversaries={"d": rivals[0]})
    three = build(network(), 2, optimizer=sgd, accumulate=3, adversaries={"d": rivals[1]})
    fit(one, joint)
    fit(three, large)
    assert one.updates == three.updates == 2
    for a, b in ((one.network, three.network), (rivals[0].network, rivals[1].network)):
        for x, y in zip(a.parameters(), b.parameters(), strict=True):
            assert_close(x, y)


def test_generator_learns_from_the_opponent_and_the_opponent_not_from_the_generator(monkeypatch):
    alone, judged = build(network(), 2), build(network(), 2, adversaries={"d": opponent()})
    fit(alone, batches(2))
    seen = []
    update = judged._update_generator

    def watched(optimizer):  # after the generator's backward pass, before the discriminator's
        seen.append([p.grad for p in judged.discriminators.parameters()])
        update(optimizer)

    monkeypatch.setattr(judged, "_update_generator", watched)
    fit(judged, batches(2))
    pairs = zip(alone.network.parameters(), judged.network.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)
    assert len(seen) == 2
    assert all(gradient is None for gradients in seen for gradient in gradients)


class Closed(UpdatePolicy):
    """A stepper that always throttles."""

    def throttled(self):
        return True


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_throttled_discriminator_moves_neither_weight_nor_statistic(mode):
    rival = opponent(judge(norm=True, dropout=True), policy=Closed(), mode=mode)
    before = {name: value.clone() for name, value in rival.network.state_dict().items()}
    module = build(network(), 4, adversaries={"d": rival})
    random = torch.get_rng_state()
    fit(module, batches(4))
    for name, value in rival.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(torch.get_rng_state(), random)  # not even its dropout has drawn
    values = module.means.take()
    assert values["train/d/throttled"] == 1
    assert values["train/d/total"] > 0  # measured all the same
    assert "train/d/gradient" not in values


def test_the_stepper_follows_the_previous_loss():
    rival = opponent(policy=UpdatePolicy(stepper=Stepper(rest_below=0.58, learn_above=0.59)), optimizer=opponents.adam)
    module = build(network(), 60, adversaries={"d": rival})
    losses, throttled = [], []
    note = module.means.add_number
    module.means.add_number = lambda name, value: (throttled.append(value), note(name, value))
    told = rival.policy.note
    rival.policy.note = lambda loss: (losses.append(float(loss)), told(loss))
    fit(module, batches(60))
    expected, resting = [], False
    for previous in [None, *losses[:-1]]:
        if previous is not None:
            resting = previous < 0.58 or (resting and previous <= 0.59)
        expected.append(float(resting))
    assert throttled == expected
    assert 0 < sum(expected) < 60, "both states must occur to test anything"


def test_phases_generator_alone_then_discriminator_alone_then_both():
    loss = Phases([(0, 1.0), (4, 0.0), (8, 1.0)])
    rival = opponent(policy=UpdatePolicy(start=4), weight=Phases([(0, 0.0), (8, 0.1)]))
    module = build(network(), 12, adversaries={"d": rival}, weight=loss)
    states = []
    step = module.training_step

    def watched(batch, batch_idx):
        step(batch, batch_idx)
        states.append([[p.detach().clone() for p in n.parameters()] for n in (module.network, rival.network)])

    module.training_step = watched
    fit(module, batches(12))
    moved = [
        [any(not torch.equal(a, b) for a, b in zip(x, y, strict=True)) for x, y in zip(before, after, strict=True)]
        for before, after in pairwise(states)
    ]
    assert module.updates == 12
    assert moved[:3] == [[True, False]] * 3
    assert moved[3:7] == [[False, True]] * 4
    assert moved[7:] == [[True, True]] * 4


def test_fakes_may_be_made_anew():
    seen = {}
    for again in (False, True):
        rival = opponent(policy=UpdatePolicy(regenerate=again))
        module = build(network(), 1, adversaries={"d": rival})
        exhibits = rival.exhibits
        rival.exhibits = lambda views, *rest, again=again, made=exhibits: (
            seen.update({again: views["sr"].clone()}) or made(views, *rest)
        )
        fit(module, batches(1))
        seen[again, "after"] = module._fakes(Given(batches(1)[0].lr.float() / 255, None, None))["sr"]
    assert torch.equal(seen[True], seen[True, "after"])
    assert not torch.equal(seen[False], seen[False, "after"])


def test_the_discriminator_skips_epochs(monkeypatch):
    rival = opponent(policy=UpdatePolicy(every_epochs=3, epoch=2))
    module = build(network(), 12, adversaries={"d": rival})
    at = []
    monkeypatch.setattr(turns, "update", lambda *a, made=turns.update: (at.append(module.updates), made(*a)))
    fit(module, batches(12))
    assert at == [0, 1, 6, 7]
    assert rival.learned == 4


def test_a_stepper_is_asked_when_the_generator_is_on_its_way(monkeypatch):
    """Asked at once it would wait for all of the step before, and leave the device without work."""
    rival, order = opponent(policy=UpdatePolicy(stepper=Stepper(0.3, 0.4))), []
    module = build(network(), 3, accumulate=2, adversaries={"d": rival})
    module.network.register_forward_hook(lambda *_: order.append("generator"))
    throttled = rival.policy.throttled
    monkeypatch.setattr(rival.policy, "throttled", lambda: (order.append("stepper"), throttled())[1])
    fit(module, batches(6))
    assert order == ["generator", "stepper", "generator"] * 3  # once for both batches of an update


def test_a_stepper_decides_anew_for_every_step_of_its_discriminator(monkeypatch):
    """Also where the generator's updates take several of them: it must not rest on what it said three steps ago."""
    rival, asked = opponent(policy=UpdatePolicy(g_every=3, stepper=Stepper(0.3, 0.4))), []
    module = build(network(), 2, accumulate=2, adversaries={"d": rival})
    throttled = rival.policy.throttled
    monkeypatch.setattr(rival.policy, "throttled", lambda: (asked.append(module.batches), throttled())[1])
    fit(module, batches(12))
    assert asked == [1, 3, 5, 7, 9, 11]


def test_impossible_combinations_are_refused():
    with pytest.raises(UserError, match=r"d_steps=2 repeats steps on one batch, and trainer\.accumulate=3"):
        build(network(), 1, accumulate=3, adversaries={"d": opponent(policy=UpdatePolicy(d_steps=2))})
    with pytest.raises(UserError, match=r"order=d_first judges .* trainer\.accumulate=2 batches .* or order=g_first"):
        build(network(), 1, accumulate=2, adversaries={"d": opponent(policy=UpdatePolicy(order="d_first"))})
    two = {"d": opponent(policy=UpdatePolicy(g_every=2)), "d_gradient": opponent()}
    with pytest.raises(
        UserError, match=r"adversary\.d\.policy\.g_every=2 and adversary\.d_gradient\.policy\.g_every=1"
    ):
        build(network(), 1, adversaries=two)


def test_two_adversaries_are_logged_apart():
    two = {"d": opponent(), "d_gradient": opponent(shows=Shows(2, gradients=True), weight=0.2)}
    module = build(network(), 2, adversaries=two)
    fit(module, batches(2))
    values = module.means.take()
    for name in ("g/gan", "g/gan_gradient", "d/total", "d_gradient/total", "d_gradient/throttled"):
        assert f"train/{name}" in values
    expected = values["train/g/l1"] + values["train/g/gan_weighted"] + values["train/g/gan_gradient_weighted"]
    assert values["train/g/total"] == pytest.approx(expected)


BICUBIC = {"shows": Shows(2, shift=4, condition="bicubic"), "network": judge(6, norm=True)}
REPLAYS = (ImagePool(2), BatchStore(4, share=0.5))
NOISY = {"shows": Shows(2, noise=InstanceNoise(0.1), swap=RegionSwap()), "objective": CrossEntropy()}


@pytest.mark.parametrize(
    "parts",
    [None, BICUBIC, {"objective": Wasserstein()}, {"r1_gamma": 1.0}, NOISY, *({"replay": r} for r in REPLAYS)],
    ids=["alone", "condition", "penalty", "r1", "noise-swap", "pool", "store"],
)
def test_a_step_reads_nothing_from_the_device(monkeypatch, parts):
    def refuse(self, *_):
        raise AssertionError("a training step waited for the device")

    # Adam on the CPU reads its step counter with .item(); SGD has none, so what is left is the module's own doing.
    rival = None if parts is None else opponent(**parts)
    module = build(
        network(),
        updates=4,
        optimizer=sgd,
        accumulate=2,
        clip=1.0,
        ema=Ema(0.9),
        adversaries={"d": rival} if rival else None,
    )
    step = module.training_step

    def watched(batch, batch_idx):
        with monkeypatch.context() as patch:
            for name in ("item", "tolist", "__bool__", "__float__", "__int__"):
                patch.setattr(torch.Tensor, name, refuse)
            return step(batch, batch_idx)

    monkeypatch.setattr(module, "training_step", watched)
    fit(module, batches(8))
    assert module.updates == 4
    assert module.means.take()["train/g/total"] > 0


def test_degradation_makes_the_missing_low_resolution():
    module = build(network(), updates=1)
    module.degradation = lambda hr, draws: hr[:, :, ::2, ::2] * (draws.samples[0] == 0)
    batch = batches(1)[0]
    lr, hr, _ = module.pair(batch._replace(lr=None))
    assert torch.equal(lr, hr[:, :, ::2, ::2])


def test_network_without_weights_is_refused():
    with pytest.raises(UserError, match="Bicubic has no weights to train"):
        build(Bicubic(2), 1)


@pytest.mark.parametrize(("setting", "value"), [("accumulate", 0), ("clip", 0.0)])
def test_bad_numbers_are_quoted(setting, value):
    with pytest.raises(ValueError, match=rf"trainer\.{setting}={value}"):
        build(network(), 1, **{setting: value})
