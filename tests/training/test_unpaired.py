"""Training without pairs, and discriminators that see degraded fakes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sr.config.schema import shown_side
from sr.data.crops import Batch
from sr.degradations.bicubic import Bicubic
from sr.degradations.pipeline import Pipeline
from sr.degradations.resize import Resize
from sr.draws import Draws
from sr.experiments.measuring import wobble
from sr.experiments.table import rows_of
from sr.losses.lr_consistency import LrConsistency
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1
from sr.models.files import read_tensors
from sr.training.adversary.agreement import check_truth
from sr.training.adversary.shows import Shows
from sr.training.columns import monitored
from sr.training.sides import side_of
from sr.types import UserError
from sr.verbs.train.preflight import check_unpaired_data
from tests.adversary_pieces import adversary
from tests.close import assert_close
from tests.conftest import smooth_picture


@pytest.fixture
def sides(tmp_path):
    for name, side in (("high", 48), ("low", 24), ("val_high", 48), ("val_low", 24)):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.fromarray(smooth_picture(side, side, number + len(name))).save(tmp_path / name / f"{number}.png")
    return [f"data.hr={tmp_path}/high", f"data.lr={tmp_path}/low"]


SMALL = (
    "data=unpaired",
    "data.train=null",
    "data.crop=16",
    "model.features=8",
    "adversary=bce",
    "discriminator=conv",
    "trainer.lpips=null",
)


def test_sides_follow_the_views():
    assert [side_of(view, 12, 4) for view in ("sr", "real", "grad(sr)", "branch")] == [48] * 4
    assert [side_of(view, 12, 4) for view in ("lr", "lr(sr)", "degraded(sr)", "grad(lr(sr))")] == [12] * 4
    assert [side_of(view, 12, 4) for view in ("bicubic(lr)", "bicubic(lr(sr))")] == [48] * 2
    assert shown_side({}, 12, 4) == 48
    assert shown_side({"views": "lr(sr),lr", "shift": 2}, 12, 4) == 10


def test_what_compares_with_the_truth_is_refused_without():
    objective = Objective({"lr_consistency": Term(1.0, LrConsistency(2), "sr,lr")})
    check_truth(objective, {"d": adversary(shows=Shows(2))})
    with pytest.raises(UserError, match=r"loss\.terms\.l1\.views=sr,hr compares with the truth, and data=unpaired"):
        check_truth(Objective({"l1": Term(1.0, L1())}), {})
    with pytest.raises(
        UserError, match=r"adversary\.d\.shows\.views=sr,grad\(hr\) compares .* loss=lr_consistency, fea"
    ):
        check_truth(objective, {"d": adversary(shows=Shows(2, views="sr,grad(hr)"))})
    data = SimpleNamespace(paired=False, real=None, shown_sources={})
    inward, usual = ({"d": adversary(shows=Shows(2, views=views))} for views in ("lr(sr),lr", "sr,real"))
    check_unpaired_data(SimpleNamespace(network=torch.nn.Identity(), objective=objective, adversaries=inward), data)
    with pytest.raises(UserError, match=r"adversary\.d\.shows\.views=sr,real compares with .* give data\.hr=DIR$"):
        check_unpaired_data(SimpleNamespace(network=torch.nn.Identity(), objective=objective, adversaries=usual), data)


def test_without_a_truth_the_consistency_decides():
    assert monitored("psnr_y", False, (), without_truth=True) == ("lr_consistency",)
    assert monitored("lr_consistency", False, (), without_truth=True) == ("lr_consistency",)
    with pytest.raises(
        UserError, match=r"trainer\.monitor=ssim_y cannot be measured: there are no .* with a truth; set"
    ):
        monitored("ssim_y", True, (), without_truth=True)
    with pytest.raises(UserError, match=r"trainer\.monitor=lr_consistency is not a metric"):
        monitored("lr_consistency", True, ("clean",))


@pytest.mark.parametrize(
    "degradation",
    [Bicubic(2), Pipeline(2, {"resize": Resize(modes="bilinear_aa")}, eight_bits=True)],
    ids=["bicubic", "pipeline"],
)
def test_gradient_passes_the_rounding_of_a_degradation_unchanged(degradation):
    picture, draws = torch.rand(2, 3, 16, 16, requires_grad=True), Draws(0, np.arange(2))
    made = degradation(picture, draws)
    with torch.no_grad():
        rounded = degradation(picture, draws)
    assert_close(made.detach(), rounded)
    assert_close(rounded * 255, (rounded * 255).round())
    weights = torch.rand_like(made)
    (made * weights).sum().backward()
    smooth = picture.detach().clone().requires_grad_()
    if isinstance(degradation, Pipeline):
        plain = Pipeline(2, degradation.stages, eight_bits=False)(smooth, draws)
    else:
        from sr.image.resize import bicubic

        plain = bicubic(smooth, scale=0.5, edge="mirror", clip=True)
    (plain * weights).sum().backward()
    assert_close(picture.grad, smooth.grad)


def test_wobble_is_what_the_second_half_goes_to_and_fro():
    assert wobble([20.0, 21.0, 25.0, 24.0, 25.5]) == pytest.approx((1.0 + 1.5 - 0.5) / 2)
    assert wobble([20.0, 21.0, 22.0, 23.0]) == 0
    assert wobble([24.0, 20.0, 22.0, 21.8, 22.0, 21.8]) == pytest.approx((0.2 + 0.2 - 0.0) / 2)
    assert wobble([20.0, 21.0, 22.0]) is None


def test_training_without_pairs_ends_in_numbers_of_its_own(train, tmp_path, sides):
    code, out, err = train(*SMALL, *sides, "loss=[lr_consistency,tv]", "data.val=null", "run_dir=run")
    assert code == 0, err
    assert "validation has no truth: the best network is the one of the least lr_consistency" in out
    assert "lr_consistency" in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert (tmp_path / "run" / "best.safetensors").exists()
    assert len(list((tmp_path / "run" / "val" / "shown").iterdir())) == 3
    (row,) = rows_of([tmp_path / "run"])
    assert row.best["lr_consistency"] == pytest.approx(row.run.summary["best"]["lr_consistency"])
    assert row.run.summary["monitor"] == "lr_consistency"


@pytest.mark.slow
def test_training_without_pairs_goes_on_as_if_it_had_never_stopped(train, tmp_path, sides):
    given = [s for s in SMALL if not s.startswith("adversary=")]
    more = [*given, *sides, "loss=lr_consistency", "adversary=[bce,ambient]", "data.val=null", "schedule=constant"]
    assert train(*more, "run_dir=one")[0] == 0
    assert train(*more, "run_dir=two", "trainer.max_updates=2")[0] == 0
    code, _, err = train("resume=two", "trainer.max_updates=4", defaults=False)
    assert code == 0, err
    one, two = (read_tensors(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.slow
def test_validation_on_pairs_where_there_are_some(train, tmp_path, sides):
    pairs = [f"data.hr_val={tmp_path}/val_high", f"data.lr_val={tmp_path}/val_low"]
    code, out, err = train(*SMALL, *sides, *pairs, "data.val=${data.hr_val}", "loss=lr_consistency", "run_dir=run")
    assert code == 0, err
    assert "validation has no truth" not in out
    assert "psnr_y" in out


def test_refusals_before_training(train, sides):
    code, _, err = train(*SMALL, *sides, "loss=l1", "data.val=null")
    assert code == 2
    assert "error: loss.terms.l1.views=sr,hr compares with the truth, and data=unpaired has none" in err
    code, _, err = train(*SMALL, *sides[:1], "loss=lr_consistency", "data.val=null")
    assert code == 2
    assert "data.lr is not set; add data.lr=… to the command line" in err
    code, _, err = train(
        "data.real=half", "adversary=[bce,ambient]", "discriminator=conv", "degradation=jpeg_light", "data.crop=16"
    )
    assert code == 2
    assert "adversary.d.shows.views=degraded(sr),lr needs a degradation that passes gradient on" in err


def test_a_batch_without_high_resolution_is_augmented_alone():
    from sr.training.pairs import make_pair
    from sr.training.precision import choose_compute

    lr = torch.arange(48, dtype=torch.uint8).view(1, 3, 4, 4)
    compute = choose_compute(torch.device("cpu"), "32", "off")
    given = make_pair(
        Batch(lr, None, torch.tensor([0]), lr), Draws(0, np.arange(1)), Bicubic(2), lambda crops, _: crops, compute
    )
    assert given.hr is None
    assert set(given.named()) == {"lr", "real"}
    assert torch.equal(given.lr * 255, lr.float())
    with pytest.raises(ValueError, match="a batch has neither low nor high resolution"):
        make_pair(
            Batch(None, None, torch.tensor([0])), Draws(0, np.arange(1)), Bicubic(2), lambda crops, _: crops, compute
        )
