"""The panels of a dashboard show the columns that runs have."""

import json
import re

import numpy as np

from sr.experiments.dashboard import as_data, picture_names, sections

SUPERVISED = {"train/g/total", "train/g/l1", "train/g/gradient", "train/lr", "train/sr/colour_error", "val/psnr_y"}
OF_D = {"real", "fake", "total", "output_real", "output_fake", "gradient", "throttled", "lr"}
ADVERSARIAL = {f"train/{name}/{column}" for name in ("d", "branch") for column in OF_D}
WEIGHTED = {"train/g/gan", "train/g/gan_branch", "train/g/gan_weighted", "train/g/edge_weighted"}


def shown(title, columns):
    """By panel of a section: which of the columns it shows."""
    (section,) = [section for section in sections() if section.title == title]
    return {
        panel.title: {c for c in columns if c in panel.columns or (panel.pattern and re.search(panel.pattern, c))}
        for panel in section.panels
    }


def test_validation_is_beside_bicubic():
    found = shown("Validation, beside bicubic", {"val/psnr_y", "val/bicubic/psnr_y", "val/Set14/psnr_y"})
    assert found["psnr_y"] == {"val/psnr_y", "val/bicubic/psnr_y"}
    assert shown("Validation sets with names", {"val/psnr_y", "val/Set14/psnr_y"})["psnr_y of every set"] == {
        "val/Set14/psnr_y"
    }


def test_each_panel_of_the_adversary_has_its_column_of_every_adversary():
    columns = SUPERVISED | ADVERSARIAL | WEIGHTED
    losses = shown("Losses of the discriminator", columns)
    assert losses["total"] == {"train/d/total", "train/branch/total"}
    opinions = shown("The discriminator's opinions", columns)
    assert opinions["output_fake"] == {"train/d/output_fake", "train/branch/output_fake"}
    assert opinions["throttled"] == {"train/d/throttled", "train/branch/throttled"}


def test_the_generator_has_its_own():
    columns = SUPERVISED | ADVERSARIAL | WEIGHTED
    found = shown("Losses of the generator", columns)
    assert found["total"] == {"train/g/total"}
    assert found["terms, as the generator feels them"] == {"train/g/gan_weighted", "train/g/edge_weighted"}
    assert not any(name in ADVERSARIAL for panel in found.values() for name in panel)


def test_gradients_and_learning_rates_of_both_sides():
    found = shown("Gradients and learning rates", SUPERVISED | ADVERSARIAL)
    assert found["gradient norms"] == {"train/g/gradient", "train/d/gradient", "train/branch/gradient"}
    assert found["learning rates"] == {"train/lr", "train/d/lr", "train/branch/lr"}


def test_pictures_are_panels_under_their_names():
    (section,) = [section for section in sections(["00_a", "Set14/01_b"]) if section.title == "Pictures"]
    assert [panel.columns for panel in section.panels] == [("val/pictures/00_a",), ("val/pictures/Set14/01_b",)]
    assert "Pictures" not in [section.title for section in sections()], "there is no empty section"
    assert max(len(one.panels) for one in sections([f"{n:02d}_x" for n in range(99)])) == 24


def test_names_of_pictures_come_from_run_folders(tmp_path):
    for name in ("a/val/00_x.png", "b/val/00_x.png", "b/val/Set14/01_y.png", "b/val/notes.png", "b/val/metrics.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert picture_names([tmp_path / "a", tmp_path / "b", tmp_path / "none"]) == ["00_x", "Set14/01_y"]


def test_it_is_plain_data():
    assert json.loads(json.dumps(as_data(sections(["00_a"]))))[0]["panels"][0]["columns"][0] == "val/psnr_y"


def test_every_logged_column_is_on_some_panel(train, tmp_path):
    choices = ["adversary=lsgan_conditional", "discriminator=conv", "loss=l1_edge", "trainer.val_images=1"]
    code, _, err = train(*choices, "run_dir=run")
    assert code == 0, err
    columns = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")[1:]
    panels = [panel for section in sections(picture_names([tmp_path / "run"])) for panel in section.panels]
    patterns = [re.compile(panel.pattern) for panel in panels if panel.pattern]
    named = {column for panel in panels for column in panel.columns}
    left = [c for c in columns if c not in named and not any(pattern.search(c) for pattern in patterns)]
    assert left == []
    assert np.count_nonzero([name.startswith("val/pictures/") for name in named]) == 1
