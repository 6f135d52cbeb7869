"""A network by what people call it."""

import re
from pathlib import Path

import pytest

from sr.errors import UserError
from sr.inference import networks
from sr.inference.networks import find_network, network_for, shipped


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand-ins of the shipped files, and a working folder that holds nothing."""
    own = tmp_path / "shipped"
    own.mkdir()
    for name in ("x2", "x3", "x4", "x4_web"):
        (own / f"{name}.safetensors").touch()
    monkeypatch.setattr(networks, "SHIPPED", own)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return own


def run(path, *files):
    path.mkdir(parents=True)
    for file in files:
        (path / file).touch()
    return path


def refusal(name):
    with pytest.raises(UserError) as caught:
        find_network(name)
    assert len(caught.value.args) == 1
    return str(caught.value)


def test_a_shipped_name(folder):
    assert list(shipped()) == ["x2", "x3", "x4", "x4_web"]
    assert find_network("x4_web") == folder / "x4_web.safetensors"
    assert find_network(Path("x2")) == folder / "x2.safetensors"


def test_a_folder_of_a_shipped_name_is_reached_by_its_path(folder):
    run(Path("x2"), "best.safetensors")
    assert find_network("x2") == folder / "x2.safetensors"
    assert find_network("./x2") == Path("x2/best.safetensors")


def test_a_run_by_its_folder_or_its_name(folder):
    made = run(Path("outputs/one"), "best.safetensors", "last.safetensors")
    assert find_network(made) == find_network("one") == made / "best.safetensors"
    (made / "best.safetensors").unlink()
    assert find_network("outputs/one") == made / "last.safetensors"


def test_a_file_of_any_ending(folder):
    for name in ("mine.safetensors", "theirs.pth"):
        Path(name).touch()
        assert find_network(name) == Path(name)


def test_a_misspelled_name_tells_the_nearest(folder):
    run(Path("outputs/second_try"), "best.safetensors")
    Path("mine.safetensors").touch()
    assert refusal("x4web").startswith("there is no network 'x4web'; did you mean x4_web")
    assert "did you mean second_try?" in refusal("secnd_try")
    assert "did you mean mine.safetensors?" in refusal("mine.safetensor")
    told = "give a shipped name (x2, x3, x4, x4_web), a run's folder, or a file"
    assert refusal("quite_another") == f"there is no network 'quite_another'; {told}"


@pytest.mark.parametrize("name", ["a" * 5000, "~nobody_of_this_name/x", "a\0b", "\x1b[2J\n"])
def test_any_text_is_one_sentence(folder, name):
    message = refusal(name)
    assert len(message) < 400
    assert message.isprintable()
    assert "give a shipped name" in message or "a network's name is" in message


def test_no_name(folder):
    assert refusal("  ").startswith("a network's name is '  '; give a shipped one")


def test_a_folder_without_a_network_tells_what_it_holds(folder):
    assert "'empty' is a folder without best.safetensors or last.safetensors; name a shipped name" in refusal(
        run(Path("empty"))
    )
    run(Path("sweep/seed_1"), "last.safetensors")
    assert refusal("sweep").endswith("; name for instance sweep/seed_1")
    assert refusal(run(Path("files"), "a.safetensors")).endswith("; name for instance files/a.safetensors")


def test_a_checkpoint_tells_the_network(folder):
    run(Path("outputs/one/checkpoints"), "last.ckpt")
    message = refusal("outputs/one/checkpoints/last.ckpt")
    assert message.endswith("is a checkpoint for resuming; take outputs/one/best.safetensors")


@pytest.mark.parametrize(
    ("scale", "name"), [(None, "x2"), (1, "x2"), (2, "x2"), (2.5, "x3"), (3, "x3"), (4.0, "x4"), (8, "x4")]
)
def test_the_network_that_reaches_a_scale(folder, scale, name):
    assert network_for(scale) == folder / f"{name}.safetensors"


def test_an_installation_without_networks_says_so(folder):
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(UserError, match=re.escape("no network came with this installation")):
        network_for(None)
    assert "none came with this installation" in refusal("x2")
