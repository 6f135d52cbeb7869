"""`sr bench step`: both loops are timed, and what the bare loop cannot do is refused before any picture is read."""

import pytest
from PIL import Image

from sr.verbs.bench import step as bench_step
from tests.conftest import smooth_picture


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Overrides for a folder of one small picture."""
    Image.fromarray(smooth_picture(80, 80, 1)).save(tmp_path / "a.png")
    folders = f"data.train={tmp_path}", "data.val=null", f"data.cache={tmp_path / 'cache'}"
    return ["data=folder", *folders, "data.crop=12", "data.batch_size=2", "model.features=8", "trainer.accelerator=cpu"]


@pytest.mark.parametrize("opponent", [[], ["adversary=lsgan_conditional", "discriminator=conv"]], ids=["alone", "gan"])
def test_both_loops_are_timed(sr, small, opponent):
    code, out, err = sr("bench", "step", *small, *opponent, "--updates", 2, "--rounds", 1)
    assert code == 0, err
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in out.splitlines() if line.startswith("│")}
    assert list(rows) == ["bare PyTorch", "this toolkit"]
    assert all(float(cell.replace(",", "")) > 0 for cells in rows.values() for cell in cells)
    (peak,) = [line.split()[5] for line in out.splitlines() if line.startswith("peak memory of a step")]
    assert float(peak.replace(",", "")) > 0
    assert ("Espcn x2 against Strided, LeastSquares, batch 2 of 12x12 LR" in out) == bool(opponent)


GAN = ["adversary=lsgan", "discriminator=conv"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss=l2"], "sr bench step compares loss=l1, not l2"),
        (["loss=l1_vgg"], "sr bench step compares loss=l1, not l1, vgg"),  # and no weights are looked for
        ([*GAN, "adversary.d.policy.d_steps=2"], "compares one plain adversary; leave adversary.d.policy.d_steps out"),
        ([*GAN, "adversary.d.shows.shift=4"], "leave adversary.d.shows.shift out"),
        (
            ["adversary=[lsgan,instance_noise,image_pool,stepper]", "discriminator=conv"],
            "leave adversary.d.shows.noise, adversary.d.policy.stepper, adversary.d.replay out",
        ),
        (
            ["adversary=wgan_gp", "discriminator=conv"],
            "leave adversary.d.policy.g_every, adversary.d.objective.penalty out",
        ),
        # A penalty by default, which no configuration names.
        (
            [*GAN, "adversary.d.objective={_target_:sr.losses.gan.Wasserstein}"],
            "leave adversary.d.objective.penalty ou",
        ),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_the_bare_loop_cannot_do_is_refused_before_a_store_is_built(
    sr, small, monkeypatch, tmp_path, overrides, message
):
    monkeypatch.setattr(bench_step, "prepared", lambda *_: pytest.fail("pictures are read"))
    code, _, err = sr("bench", "step", *small, *overrides)
    assert code == 2
    assert message in err
    assert not (tmp_path / "cache").exists()
