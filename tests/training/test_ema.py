"""The moving average against its recurrence, written out."""

import pytest
import torch
from torch import nn

from sr.spectral import spectral_norm
from sr.training.ema import Ema, ema_decay
from tests.close import assert_close


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))


def disturb(module):
    """A stand-in for a training update: batch statistics and every weight move."""
    module.train()(torch.rand(2, 3, 5, 5))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))


def test_ramp_by_hand():
    assert [ema_decay(n, 0.999) for n in (0, 1, 8, 90)] == [0.1, 2 / 11, 0.5, 0.91]
    assert ema_decay(8989, 0.999) == 8990 / 8999 < 0.999 == ema_decay(8991, 0.999)


@pytest.mark.parametrize(("decay", "warmup"), [(0.3, True), (0.9, True), (0.9, False)])
def test_equals_the_plain_recurrence(decay, warmup):
    module, ema = network(), Ema(decay, warmup)
    ema.start(module)
    expected = {k: v.clone() for k, v in module.state_dict().items()}
    for n in range(12):
        disturb(module)
        ema.update(module)
        d = min(decay, (1 + n) / (10 + n)) if warmup else decay
        for key, value in module.state_dict().items():
            expected[key] = d * expected[key] + (1 - d) * value if value.is_floating_point() else value.clone()
    averaged = ema.averaged().state_dict()
    assert averaged.keys() == expected.keys()
    for key, value in expected.items():
        assert_close(averaged[key].float(), value.float())
    assert averaged["1.num_batches_tracked"] == 12
    assert averaged["1.num_batches_tracked"].dtype == torch.int64


def test_vectors_of_spectral_normalisation_stay_those_of_the_network():
    """A mean of unit vectors is shorter, and no singular vector of any weight."""
    module, ema = nn.Sequential(spectral_norm(nn.Conv2d(3, 4, 3)), nn.ReLU(), spectral_norm(nn.Conv2d(4, 3, 1))), Ema()
    ema.start(module)
    for _ in range(5):
        disturb(module)
        ema.update(module)
    averaged, vectors = (
        ema.averaged().state_dict(),
        [name for name in module.state_dict() if name.endswith(("_u", "_v"))],
    )
    assert len(vectors) == 4
    assert all(torch.equal(averaged[name], module.state_dict()[name]) for name in vectors)


def test_average_is_separate_frozen_and_in_eval_mode():
    module, ema = network().train(), Ema()
    ema.start(module)
    before = {k: v.clone() for k, v in ema.averaged().state_dict().items()}
    disturb(module)
    assert all(torch.equal(v, before[k]) for k, v in ema.averaged().state_dict().items())
    assert not ema.averaged().training
    assert not any(p.requires_grad for p in ema.averaged().parameters())
    assert module.training
    assert all(p.requires_grad for p in module.parameters())
    ema.update(module)
    assert not torch.equal(ema.averaged()[0].weight, before["0.weight"])
    assert all(p.requires_grad and p.is_leaf for p in module.parameters())


def test_continues_from_its_state(tmp_path):
    module = network()
    whole = Ema(0.9)
    whole.start(module)
    for _ in range(3):
        disturb(module)
        whole.update(module)
    torch.save(whole.state_dict(), tmp_path / "ema.pt")
    resumed = Ema(0.9)
    resumed.start(network())
    resumed.load_state_dict(torch.load(tmp_path / "ema.pt", weights_only=True))
    for _ in range(3):
        disturb(module)
        whole.update(module)
        resumed.update(module)
    for key, value in whole.averaged().state_dict().items():
        assert torch.equal(resumed.averaged().state_dict()[key], value)


def test_never_waits_for_the_device():
    """On the meta device any attempt to read a value raises."""
    module, ema = network().to("meta"), Ema()
    ema.start(module)
    ema.update(module)
    assert ema.updates == 1


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_decay_out_of_range(decay):
    with pytest.raises(ValueError, match=f"below 1, not {decay}"):
        Ema(decay)


def test_unstarted_average_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"call Ema.start\(module\)"):
        Ema().averaged()
