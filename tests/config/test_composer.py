"""Compositions are kept, and made anew as soon as a file changes."""

import shutil

from sr.config.composer import composed_from, composed_with_choices
from sr.config.folder import CONF


def test_a_kept_composition_is_nobodys_to_change():
    first = composed_from([CONF], ["model=rdn_small"])
    first.trainer.max_updates = 7
    again, choices = composed_with_choices([CONF], ["model=rdn_small"])
    assert again.trainer.max_updates != 7
    assert (choices["model"], choices["loss"]) == ("rdn_small", "l1")
    choices["model"] = "other"
    assert composed_with_choices([CONF], ["model=rdn_small"])[1]["model"] == "rdn_small"
    assert "hydra" not in again


def test_a_file_that_changes_counts_at_once(tmp_path):
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    file = conf / "loss" / "l1.yaml"
    before = composed_from([conf], ["loss=l1"])
    file.write_text(file.read_text() + "\nadded: 1\n")
    assert composed_from([conf], ["loss=l1"]).loss.added == 1
    file.write_text(file.read_text().replace("added: 1", "added: 2"))  # as long as before
    assert composed_from([conf], ["loss=l1"]).loss.added == 2
    (conf / "loss" / "own.yaml").write_text(file.read_text())
    assert composed_from([conf], ["loss=own"]).loss.added == 2
    assert "added" not in before.loss


def test_a_copy_that_keeps_its_time_counts_too(tmp_path):
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    file, other = conf / "loss" / "l1.yaml", tmp_path / "other.yaml"
    file.write_text(file.read_text() + "\nadded: 1\n")
    assert composed_from([conf], ["loss=l1"]).loss.added == 1
    other.write_text(file.read_text().replace("added: 1", "added: 2"))
    shutil.copystat(file, other)
    other.replace(file)
    assert composed_from([conf], ["loss=l1"]).loss.added == 2


def test_a_folder_behind_a_link_counts(tmp_path):
    conf, elsewhere = tmp_path / "conf", tmp_path / "elsewhere"
    shutil.copytree(CONF, conf)
    (conf / "loss").rename(elsewhere)
    (conf / "loss").symlink_to(elsewhere)
    before = composed_from([conf], ["loss=l1"])
    (elsewhere / "l1.yaml").write_text((elsewhere / "l1.yaml").read_text() + "\nadded: 1\n")
    assert "added" not in before.loss
    assert composed_from([conf], ["loss=l1"]).loss.added == 1


def test_a_list_of_defaults_may_ask_the_environment(tmp_path, monkeypatch):
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "experiment" / "asks.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: ${oc.env:WANTED}\n"
    )
    for name in ("rdn_small", "compact"):
        monkeypatch.setenv("WANTED", name)
        assert composed_with_choices([conf], ["experiment=asks"])[1]["model"] == name
