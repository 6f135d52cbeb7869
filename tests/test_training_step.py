"""The training step against plain PyTorch loops, bit for bit, and who gets gradient from whom."""

import warnings

import lightning
import pytest
import torch
from torch import nn

from sr.augmentations.sequence import Sequence
from sr.data.crops import Batch
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1
from sr.models.espcn import Espcn
from sr.training.clock import Clock
from sr.training.ema import Ema
from sr.training.module import SuperResolution
from sr.training.precision import choose_compute
from sr.training.schedules import Cosine
from sr.types import UserError
from tests.close import assert_close

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


class Given:
    """An iterable that is no list: Lightning would take a list for several loaders."""

    def __init__(self, data):
        self.data = data

    def __iter__(self):
        return iter(self.data)


class Stop(lightning.Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = pl_module.clock.reached() is not None


def fit(module, data):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        lightning.Trainer(
            accelerator="cpu",
            max_epochs=-1,
            logger=False,
            callbacks=[Stop()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(module, train_dataloaders=Given(data))


def build(net, updates, optimizer=adam, accumulate=1, clip=None, ema=None, adversaries=(), precision="32"):
    return SuperResolution(
        network=net,
        objective=Objective({"l1": Term(1.0, L1())}),
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


class Opponent:
    """A least-squares adversary with one convolution."""

    name = "d"

    def __init__(self):
        torch.manual_seed(2)
        self.network = nn.Conv2d(3, 1, 3)
        self.seen = []

    def optimizer(self):
        return torch.optim.SGD(self.network.parameters(), lr=0.1)

    def generator_loss(self, sr, hr, lr):
        self.seen.append(sr.detach().clone())
        assert not any(p.requires_grad for p in self.network.parameters())
        return 0.1 * ((self.network(sr) - 1) ** 2).mean()

    def discriminator_loss(self, sr, hr, lr):
        assert not sr.requires_grad
        assert torch.equal(sr, self.seen[-1])  # judged by the same pictures
        return (self.network(sr) ** 2).mean() + ((self.network(hr) - 1) ** 2).mean()

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def test_adversarial_step_equals_a_plain_loop_bit_for_bit():
    data = batches(20)
    opponent = Opponent()
    module = build(network(), updates=10, accumulate=2, adversaries=[opponent])
    fit(module, data)

    net, plain = network(), Opponent().network
    optimizer_g, optimizer_d = adam(net.parameters()), torch.optim.SGD(plain.parameters(), lr=0.1)
    schedule = Cosine(final=0.1, warmup=3)
    for update in range(10):
        for batch in data[2 * update : 2 * update + 2]:
            lr, hr = batch.lr.float() / 255, batch.hr.float() / 255
            sr = net(lr)
            plain.requires_grad_(False)
            loss_g = (sr - hr).abs().mean() + 0.1 * ((plain(sr) - 1) ** 2).mean()
            (loss_g / 2).backward()
            plain.requires_grad_(True)
            fake = sr.detach()
            loss_d = (plain(fake) ** 2).mean() + ((plain(hr) - 1) ** 2).mean()
            (loss_d / 2).backward()
        optimizer_g.param_groups[0]["lr"] = 1e-2 * schedule.factor(update, update / 10)
        for optimizer in (optimizer_g, optimizer_d):
            optimizer.step()
            optimizer.zero_grad()
    for ours, other in zip(module.network.parameters(), net.parameters(), strict=True):
        assert torch.equal(ours, other)
    for ours, other in zip(opponent.network.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, other)


def test_generator_learns_from_the_opponent():
    alone, judged = build(network(), 2), build(network(), 2, adversaries=[Opponent()])
    fit(alone, batches(2))
    fit(judged, batches(2))
    pairs = zip(alone.network.parameters(), judged.network.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_a_step_reads_nothing_from_the_device(monkeypatch):
    def refuse(self, *_):
        raise AssertionError("a training step waited for the device")

    # Adam on the CPU reads its step counter with .item(); SGD has none, so what is left is the module's own doing.
    module = build(network(), updates=4, optimizer=sgd, accumulate=2, clip=1.0, ema=Ema(0.9))
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
    lr, hr = module.pair(batch._replace(lr=None))
    assert torch.equal(lr, hr[:, :, ::2, ::2])


def test_network_without_weights_is_refused():
    from sr.models.bicubic import Bicubic

    with pytest.raises(UserError, match="Bicubic has no weights to train"):
        build(Bicubic(2), 1)


@pytest.mark.parametrize(("setting", "value"), [("accumulate", 0), ("clip", 0.0)])
def test_bad_numbers_are_quoted(setting, value):
    with pytest.raises(ValueError, match=rf"trainer\.{setting}={value}"):
        build(network(), 1, **{setting: value})
