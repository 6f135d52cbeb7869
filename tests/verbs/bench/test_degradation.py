"""`sr bench degradation` prints every row, and its plain loop degrades as the pipeline does."""

import numpy as np
import pytest
import torch
from PIL import Image

from sr.config.building import build
from sr.config.composing import composed
from sr.draws import Draws
from sr.verbs.bench.degradation import bench_degradation
from sr.verbs.bench.plain_degradation import PlainLoop
from tests.conftest import smooth_picture

PICTURES = 60


@pytest.fixture(scope="module")
def hr():
    """One picture many times, so that what differs between results is the degradation."""
    pixels = torch.from_numpy(smooth_picture(64, 64, 3)).permute(2, 0, 1)
    return (pixels.float() / 255)[None].repeat(PICTURES, 1, 1, 1)


def printed(tmp_path, capsys, *overrides):
    Image.fromarray(smooth_picture(80, 80, 1)).save(tmp_path / "a.png")
    folders = f"data.train={tmp_path}", f"data.cache={tmp_path / 'cache'}"
    bench_degradation(["data=folder", *folders, "data.crop=12", "data.batch_size=3", "scale=2", *overrides], 0.0)
    return capsys.readouterr().out


def test_all_rows_are_printed(tmp_path, capsys):
    shown = printed(tmp_path, capsys, "degradation=second_order")
    assert "24x24 crops to 12x12" in shown
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in shown.splitlines() if line.startswith("│")}
    assert list(rows) == ["batch of 3", "one at a time", "plain PyTorch loop"]
    for name, (middle, least, most, ratio) in rows.items():
        assert 0 < float(least.replace(",", "")) <= float(middle.replace(",", "")) <= float(most.replace(",", ""))
        assert (float(ratio) > 0) if name != "batch of 3" else not ratio.strip()
    assert "medians over 3 rounds" in shown


@pytest.mark.parametrize("override", ["degradation=shuffled", "degradation=second_order degradation.stages.jpeg=null"])
def test_the_plain_loop_stands_beside_its_own_degradation_only(tmp_path, capsys, override):
    shown = printed(tmp_path, capsys, *override.split())
    assert "one at a time" in shown
    assert "plain" not in shown


def test_plain_loop_repeats_with_its_generator(hr):
    first, again, other = (PlainLoop(torch.Generator().manual_seed(seed))(hr[:4], 4) for seed in (0, 0, 1))
    assert first.shape == (4, 3, 16, 16)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal((first * 255).round() / 255, first)


def test_plain_loop_degrades_as_much_as_the_pipeline(hr):
    plain = PlainLoop(torch.Generator().manual_seed(0))(hr, 2)
    ours = build("degradation", composed(["degradation=second_order", "scale=2"]).degradation)
    made = ours(hr, Draws(0, np.arange(PICTURES)))
    assert plain.shape == made.shape
    assert (plain != made).any()
    assert plain.mean().item() == pytest.approx(made.mean().item(), abs=0.02)
    # How far results of one picture lie apart, and how rough each is.
    for measure in (lambda x: x.std(0).mean(), lambda x: x.diff(dim=-1).abs().mean()):
        assert measure(plain).item() == pytest.approx(measure(made).item(), rel=0.25)
