"""What the memory check counts: every step of an update, with all that may come to weigh."""

from typing import NamedTuple

import pytest
import torch
from torch import nn

from sr.errors import UserError
from sr.losses.gan import Wasserstein
from sr.losses.objective import Term
from sr.losses.pixel import L1
from sr.losses.weights import Steps
from sr.models.spsr import Spsr
from sr.training import memory
from sr.training.adversary.policy import UpdatePolicy
from sr.training.adversary.replay import BatchStore, ImagePool
from sr.training.memory import bytes_kept_for_backward
from sr.training.parts import Parts
from sr.training.trials import check_frozen, trials
from tests.opponents import judge, opponent
from tests.training.test_step import build, network


def kept(module):
    """Bytes that each step of an update keeps for its backward pass."""
    lr = torch.zeros(2, 3, 16, 16)
    return [bytes_kept_for_backward(module.network, lr, module.compute, step) for step in trials(module)]


def test_a_term_that_has_no_weight_yet_counts():
    (weighs,), (watches,) = (kept(build(network(), 1, weight=weight)) for weight in (1.0, Steps([0.0, 1.0], [10])))
    assert weighs == watches
    assert weighs > bytes_kept_for_backward(network(), torch.zeros(2, 3, 16, 16), build(network(), 1).compute)


def test_the_discriminator_s_own_step_counts_with_all_old_fakes():
    def own(**parts):
        generator, discriminator = kept(build(network(), 1, adversaries={"d": opponent(**parts)}))
        assert generator > 0
        return discriminator

    plain = own()
    assert own(replay=ImagePool(50)) == plain
    # Real and one batch of fakes make two; a store that is full adds 0.5 * 8 old batches: three times as much.
    assert own(replay=BatchStore(8, share=0.5)) == pytest.approx(3 * plain, rel=0.05)
    assert own(objective=Wasserstein()) > 1.4 * plain
    assert own(r1_gamma=1.0) > 1.2 * plain


def test_of_one_that_learns_first_the_generator_waits_with_all_that_it_keeps():
    alone = kept(build(network(), 1))[0]
    after, first = (
        kept(build(network(), 1, adversaries={"d": opponent(policy=UpdatePolicy(order=order))}))
        for order in ("g_first", "d_first")
    )
    assert first[0] == after[0]
    assert first[1] == pytest.approx(alone + after[1], rel=0.02)


def test_a_trial_notes_what_the_loss_may_leave_out():
    """Processes that train together must know of weights that get no gradient."""
    for net, expected in ((network(), ()), (Spsr(2, 8, 4, 4, 1), ("branch",))):
        module = build(net, 1)
        kept(module)
        assert module.side_outputs == expected


def test_a_trial_moves_nothing():
    rival = opponent(network=judge(norm=True, dropout=True), r1_gamma=1.0, replay=ImagePool(2))
    module = build(network(), 1, adversaries={"d": rival})
    before, random = {k: v.clone() for k, v in module.state_dict().items()}, torch.get_rng_state()
    kept(module)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert rival.replay.kept == []
    assert rival.learned == 0
    assert all(p.grad is None for p in module.parameters())


def test_a_discriminator_of_another_size_is_left_out():
    fixed = judge()
    fixed.side = 99
    module = build(network(), 1, adversaries={"d": opponent(network=fixed)})
    generator, discriminator = kept(module)
    assert generator == kept(build(network(), 1))[0]
    assert discriminator < kept(build(network(), 1, adversaries={"d": opponent()}))[1] / 4


def test_other_real_pictures_take_memory_too(monkeypatch):
    # At x2, for each of 64 low-resolution pixels in float32 RGB: itself, and four times hr, sr and its gradient.
    monkeypatch.setattr(memory, "_measured", lambda *_: (0, 0.0))
    monkeypatch.setattr(memory, "free_bytes", lambda _: 64 * 12 * (1 + 3 * 4))
    compute = build(network(), 1).compute
    memory.check_batch_fits(network(), (1, 3, 8, 8), compute)
    with pytest.raises(UserError, match="one crop of 8x8 alone needs"):
        memory.check_batch_fits(network(), (1, 3, 8, 8), compute, unpaired=True)


def test_freezing_must_leave_what_the_loss_reaches():
    def check(net, **freeze):
        before = {name: value.clone() for name, value in net.state_dict().items()}
        terms = {"branch": Term(1.0, L1(), "branch,hr")}
        check_frozen(build(net, 9, terms=terms, parts=Parts(freeze=[freeze])), 8)
        assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
        assert all(weight.requires_grad and weight.grad is None for weight in net.parameters())

    message = r"parts.freeze leaves no weight of Branched to learn at update {} that its loss reaches: what is compared"
    check(Branched(), all_but=["beside.*"], until=2)
    check(Branched(), weights=["main.*"])
    with pytest.raises(UserError, match=message.format(0)):
        check(Branched(), all_but=["main.*"], until=2)
    with pytest.raises(UserError, match=message.format(0)):
        check(Branched(), weights=["beside.*"])


class Branched(nn.Module):
    """A picture, and beside it another that one half of the network makes."""

    scale = 2

    class Made(NamedTuple):
        sr: torch.Tensor
        branch: torch.Tensor

    def __init__(self):
        super().__init__()
        self.main, self.beside = network(), nn.Sequential(network(), nn.BatchNorm2d(3))

    def forward(self, lr):
        return self.Made(self.main(lr), self.beside(lr))
