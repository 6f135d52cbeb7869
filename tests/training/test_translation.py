"""Translation: the step against a plain PyTorch loop, bit for bit, and how it is measured."""

import math

import numpy as np
import pytest
import torch

from sr.augmentations.sequence import Sequence
from sr.data.crops import Batch
from sr.data.sets import ShownPicture
from sr.draws import Draws
from sr.losses.gan import LeastSquares
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1
from sr.models.cyclegan import CycleGan
from sr.training.adversary.policy import UpdatePolicy
from sr.training.adversary.replay import ImagePool
from sr.training.adversary.shows import Shows
from sr.training.clock import Clock
from sr.training.module import SuperResolution
from sr.training.precision import choose_compute
from sr.training.schedules import Linear
from sr.training.translation import TO_A, TO_B, there_and_back
from sr.types import UserError
from tests.loops import fit
from tests.opponents import judge, opponent

CPU = torch.device("cpu")
CYCLE, IDENTITY = 20.0, 1.0


def adam(parameters):
    return torch.optim.Adam(parameters, lr=2e-3, betas=(0.5, 0.999))


def batches(count, size=2):
    generator = torch.Generator().manual_seed(3)

    def pictures():
        return torch.randint(0, 256, (size, 3, 12, 12), generator=generator, dtype=torch.uint8)

    numbers = [torch.arange(number * size, (number + 1) * size) for number in range(count)]
    return [Batch(pictures(), None, samples, real=pictures()) for samples in numbers]


def network():
    torch.manual_seed(1)
    return CycleGan(1, features=4, blocks=1)


def terms():
    return {
        "cycle": Term(CYCLE, L1(), "again_a,lr", also="again_b,real"),
        "identity": Term(IDENTITY, L1(), "same_b,real", also="same_a,lr"),
    }


def rivals(accumulate=1):
    def rival(seed, views):
        torch.manual_seed(seed)
        return opponent(
            network=judge(),
            objective=LeastSquares(),
            shows=Shows(1, views=views),
            replay=ImagePool(3),
            optimizer=adam,
            weight=1.5,
            policy=UpdatePolicy(),
        )

    return {"d": rival(5, "sr,real"), "d_back": rival(6, "back,lr")}


def build(updates, accumulate=1, adversaries=None, own_terms=None):
    return SuperResolution(
        network=network(),
        objective=Objective(own_terms or terms()),
        optimizer=adam,
        schedule=Linear(begin=0.5),
        degradation=None,
        augmentation=Sequence({}),
        clock=Clock(updates, None),
        compute=choose_compute(CPU, "32", "off"),
        ema=None,
        adversaries=rivals() if adversaries is None else adversaries,
        accumulate=accumulate,
    )


def pool_of(kept, fakes, samples, name, capacity=3):
    """CycleGAN's pool, by the draws of the samples."""
    draws = Draws(0, samples.numpy()).within(name).within("replay")
    chances, slots = draws.chance("exchange", 0.5), draws.integers("slot", capacity)
    used = []
    for fake, chance, slot in zip(fakes, chances.tolist(), slots.tolist(), strict=True):
        if len(kept) < capacity:
            kept.append(fake)
            used.append(fake)
        elif chance:
            used.append(kept[slot])
            kept[slot] = fake
        else:
            used.append(fake)
    return torch.stack(used)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_equals_a_plain_loop_bit_for_bit(accumulate):
    updates, data = 20, batches(20 * accumulate)
    module = build(updates, accumulate)
    fit(module, data)

    net = network()
    judges = [rival.network for rival in rivals().values()]
    for_g, *for_d = (adam(one.parameters()) for one in (net, *judges))
    pools, names = ([], []), ("d", "d_back")
    for update in range(updates):
        rate = 2e-3 * (1 - 2 * max(0.0, update / updates - 0.5))
        for batch in data[accumulate * update : accumulate * (update + 1)]:
            a, b = batch.lr.float() / 255, batch.real.float() / 255
            for parameter in (p for one in judges for p in one.parameters()):
                parameter.requires_grad_(False)
            fake_b, fake_a = net.to_b(a), net.to_a(b)
            again_a, again_b, same_a, same_b = net.to_a(fake_b), net.to_b(fake_a), net.to_a(a), net.to_b(b)
            total = torch.zeros(())
            total = total + CYCLE * ((again_a - a).abs().mean() + (again_b - b).abs().mean())
            total = total + IDENTITY * ((same_b - b).abs().mean() + (same_a - a).abs().mean())
            for one, fake in zip(judges, (fake_b, fake_a), strict=True):
                total = total + 1.5 * (one(fake) - 1).square().mean()
            (total / accumulate if accumulate > 1 else total).backward()
            for one, pool, name, fake, real in zip(judges, pools, names, (fake_b, fake_a), (b, a), strict=True):
                for parameter in one.parameters():
                    parameter.requires_grad_(True)
                old = pool_of(pool, fake.detach(), batch.samples, name)
                loss = (one(real) - 1).square().mean() + one(old).square().mean()
                (loss / accumulate).backward()
        for optimizer in (for_g, *for_d):
            optimizer.param_groups[0]["lr"] = rate if optimizer is for_g else 2e-3
            optimizer.step()
            optimizer.zero_grad()

    assert module.updates == updates
    for ours, plain in zip(
        (module.network, *(a.network for a in module.adversaries.values())), (net, *judges), strict=True
    ):
        for p, q in zip(ours.parameters(), plain.parameters(), strict=True):
            assert torch.equal(p, q)


def test_views_of_both_sides_are_compared_and_a_stranger_is_not():
    strange = terms() | {"l1": Term(1.0, L1(), "sr,real")}
    with pytest.raises(UserError, match=r"loss\.terms\.l1\.views=sr,real compares each picture with one of"):
        fit(build(1, own_terms=strange), batches(1))


def test_a_batch_of_one_side_is_told():
    alone = [Batch(batch.lr, None, batch.samples) for batch in batches(1)]
    with pytest.raises(ValueError, match="CycleGan translates between two sides, and the batch has one"):
        fit(build(1, adversaries={}), alone)


def picture(side, level):
    return ShownPicture(f"{side}.png", np.full((16, 16, 3), level, np.uint8), False, side)


def test_pictures_are_measured_there_and_back():
    directions = {TO_B: lambda pixels, gray: pixels + 50, TO_A: lambda pixels, gray: pixels - 40}
    one, other = (there_and_back(directions, shown, 2) for shown in (picture("a", 100), picture("b", 120)))
    assert (one.made[0, 0, 0], one.back[0, 0, 0]) == (150, 110)
    assert (other.made[0, 0, 0], other.back[0, 0, 0]) == (80, 130)
    assert one.values["cycle_psnr"] == pytest.approx(20 * math.log10(255 / 10))
    assert one.values["identity_error"] == pytest.approx(40 / 255)
    assert other.values["identity_error"] == pytest.approx(50 / 255)
    assert one.values["colour_shift"] == pytest.approx(50 / 255)
    assert one.values["checkerboard"] == 0


def test_a_mesh_is_seen():
    mesh = np.zeros((16, 16, 3), np.uint8)
    mesh[::2, ::2] = 8
    directions = {TO_B: lambda pixels, gray: pixels + mesh, TO_A: lambda pixels, gray: pixels}
    one = there_and_back(directions, picture("a", 100), 2)
    # Places of 2x2: 8, 0, 0, 0 above 100, whose root mean square about their mean of 2 is sqrt(12).
    assert one.values["checkerboard"] == pytest.approx(math.sqrt(12) / 255, rel=1e-5)
