"""What is promised in float32 is computed so: convolutions on a GPU, power iterations, sums of weights."""

import io
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as pytorchs

from sr.data.edges import EdgeContent, EdgeMaps, open_edge_maps
from sr.data.kinds.sources import Folder
from sr.data.module import CropData
from sr.data.store.building import open_store
from sr.image.autocast import full_float32
from sr.losses.gan import Wasserstein
from sr.models.bicubic import Bicubic
from sr.models.upscale import upscale_pixels
from sr.spectral import spectral_norm
from sr.training.adversary.replay import ImagePool
from sr.training.adversary.shows import Shows
from sr.training.fitting import fit
from sr.training.precision import choose_compute
from tests.adversary_pieces import adversary, draws, exact, rand, views_of


def precision():
    return torch.backends.cudnn.conv.fp32_precision


def test_convolutions_are_not_rounded_to_tf32_and_the_setting_comes_back():
    before, switch = precision(), torch.backends.cudnn.allow_tf32
    with full_float32():
        assert precision() == "ieee"
        assert torch.backends.cudnn.allow_tf32 is False  # raises where kinds of layers differ
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            pass
        assert torch.get_float32_matmul_precision() == "highest"
    assert precision() == before
    with pytest.raises(RuntimeError, match="stop"), full_float32():
        raise RuntimeError("stop")
    assert precision() == before
    assert torch.backends.cudnn.rnn.fp32_precision == before
    assert torch.backends.cudnn.allow_tf32 is switch


def test_the_last_of_several_threads_sets_tf32_back():
    before = precision()
    first, second = full_float32(), full_float32()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert precision() == "ieee"
    second.__exit__(None, None, None)
    assert precision() == before != "ieee"


def test_whole_pictures_are_upscaled_in_float32():
    seen = []

    class Looking(Bicubic):
        def forward(self, lr):
            seen.append(precision())
            return super().forward(lr)

    upscale_pixels(Looking(2), np.zeros((8, 8, 3), np.uint8), torch.device("cpu"))
    assert seen == ["ieee"]


def test_training_is_in_float32_and_the_line_says_so():
    seen = []
    trainer = SimpleNamespace(fit=lambda module, datamodule: seen.append(precision()))
    fit(trainer, nn.Identity(), object.__new__(CropData))
    assert seen == ["ieee"]
    assert "float32 without TF32" in choose_compute(torch.device("cuda", 0), "32", "off").reason
    assert "TF32" not in choose_compute(torch.device("cpu"), "32", "off").reason


def test_a_replay_is_in_float32_too():
    seen = []
    trainer = SimpleNamespace(
        fit_loop=SimpleNamespace(max_epochs=-1),
        fit=lambda module, train_dataloaders: seen.append((precision(), train_dataloaders)),
    )
    fit(trainer, None, batches := iter([]))
    assert seen == [("ieee", batches)]
    assert trainer.fit_loop.max_epochs == 1


@pytest.mark.parametrize("training", [True, False])
def test_spectral_norm_is_pytorchs_in_float32_under_autocast(training):
    torch.manual_seed(3)
    layers = []
    for norm in (pytorchs, spectral_norm):
        torch.manual_seed(4)
        layers.append(norm(nn.Conv2d(3, 8, 3, bias=False)).train(training))
    assert layers[0].state_dict().keys() == layers[1].state_dict().keys(), "checkpoints open as before"
    for _ in range(3):
        expected = layers[0].weight
        with torch.autocast("cpu", torch.bfloat16):
            made = layers[1].weight
        assert torch.equal(made, expected)


def test_a_conditional_critic_is_never_shown_a_blend_of_two_conditions():
    """The gradient penalty with old fakes: between real and fake picture, the condition is the fake's own."""
    shown = []

    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(6, 1, 1)

        def forward(self, x):
            shown.append(x.detach())
            return self.layer(x)

    pool = ImagePool(capacity=2, probability=1.0)
    opponent = adversary(Looking(), Wasserstein(10.0), Shows(2, condition="bicubic"), replay=pool)
    conditions = []
    for step in range(3):
        sr, hr, lr = (rand(2, 3, side, side, seed=10 * step + side) for side in (16, 16, 8))
        exhibits = opponent.exhibits(views_of(sr, hr, lr), draws(2, 2 * step))
        shown.clear()
        opponent.verdict(exhibits, 0, 0, exact(), True)
        real, fake, between = shown
        conditions += [*real[:, 3:]]
        assert torch.equal(between[:, 3:], fake[:, 3:])
        low, high = torch.minimum(real[:, :3], fake[:, :3]), torch.maximum(real[:, :3], fake[:, :3])
        assert ((between[:, :3] >= low - 1e-6) & (between[:, :3] <= high + 1e-6)).all()
    assert not torch.equal(fake[:, 3:], real[:, 3:]), "old fakes were among them"
    assert all(any(torch.equal(one, made) for made in conditions) for one in between[:, 3:])


def test_edge_content_sums_in_float64(pictures, tmp_path):
    """In float32 the last crops of a large picture would never be drawn: 2^24 is where adding 1 stops."""
    store = open_store(Folder(str(pictures)), tmp_path / "cache", lambda *_: None, workers=0)
    shapes = np.stack([store.heights // 2 - 7, store.widths // 2 - 7], axis=1)
    maps = open_edge_maps(store, shapes, 2, 8, EdgeContent(), lambda *_: None)
    assert maps._cumulative.dtype == np.float64


def test_every_cell_of_a_picture_of_seventeen_million_can_be_drawn(tmp_path):
    """In float32 adding 1 to 2^24 changes nothing, so that all later cells would share one probability of 0."""
    cells = 2**24 + 2**20
    path, shapes = tmp_path / "maps.npy", np.array([[4, 4 * cells]])
    buffer = io.BytesIO()
    np.save(buffer, np.cumsum(np.ones(cells)))
    path.write_bytes(buffer.getvalue() + zlib.crc32(buffer.getvalue()).to_bytes(4, "little"))
    maps = EdgeMaps(path, shapes)
    for cell in (0, 2**24 - 1, 2**24 + 1, cells - 1):
        assert maps.corner(0, np.array([(cell + 0.5) / cells, 0, 0])) == (0, 4 * cell)
