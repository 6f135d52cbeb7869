"""`sr dashboard`: against a server on this machine that keeps what is sent."""

import json
from pathlib import Path

import pytest
import wandb

from tests.wandb_server import wandb_server


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """A user who never heard of W&B."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "NETRC", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    wandb.teardown()  # it reads the environment once
    yield
    wandb.teardown()


def run_folder(place: Path) -> None:
    """A run that has shown one picture."""
    (place / "val").mkdir(parents=True)
    (place / "val" / "00_astronaut.png").write_bytes(b"")
    (place / "config.yaml").write_text("scale: 2\n")


def test_the_panels_without_key_network_or_package(sr, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    run_folder(tmp_path / "outputs" / "run")
    code, out, err = sr("dashboard", "my_project", "--dry-run")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["project"] == "my_project"
    panels = {panel["title"]: panel for section in told["sections"] for panel in section["panels"]}
    assert panels["psnr_y"]["columns"] == ["val/psnr_y", "val/bicubic/psnr_y"]
    assert panels["00_astronaut"]["kind"] == "pictures"
    (tmp_path / "empty").mkdir()
    code, out, _ = sr("dashboard", "my_project", "--dry-run", "--json", "panels.json", "--runs", "empty")
    assert (code, out) == (0, "panels: panels.json\n")
    written = json.loads((tmp_path / "panels.json").read_text())
    assert "Pictures" not in [section["title"] for section in written["sections"]]


def test_without_a_key_it_is_one_sentence(sr):
    code, out, err = sr("dashboard", "my_project")
    assert (code, out) == (2, "")
    assert err == (
        "error: sr dashboard my_project needs a key for https://api.wandb.ai: run `wandb login` first, or set "
        "WANDB_API_KEY; --dry-run prints the panels without it\n"
    )


def test_without_the_package_it_is_one_sentence(sr, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    code, _, err = sr("dashboard", "my_project")
    assert code == 2
    assert err.startswith("error: sr dashboard needs the package wandb-workspaces, which is not installed: ")
    assert "pip install wandb-workspaces" in err


def test_without_a_network_it_is_one_sentence(sr, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    code, _, err = sr("dashboard", "my_project")
    assert code == 2
    assert err.startswith("error: http://127.0.0.1:9 cannot be reached (")
    assert err.count("\n") == 1


def test_it_is_made_once_and_then_brought_up_to_date(sr, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with wandb_server("my_project") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        code, out, err = sr("dashboard", "my_project")
        assert (code, err) == (0, "")
        assert out == f"made: {server.url}/me/my_project?nw=srtoolkit\n"
        run_folder(tmp_path / "outputs" / "run")
        code, out, err = sr("dashboard", "my_project")
        assert (code, err) == (0, "")
        assert out == f"brought up to date: {server.url}/me/my_project?nw=srtoolkit\n"
        code, _, err = sr("dashboard", "my_projects", "--entity", "team")
        assert code == 2
        assert err.startswith("error: W&B has no project my_projects of team that this key may see; ")
        wandb.teardown()  # its last words are for this server
    first, second = server.saved
    assert ("id" in first, second["id"]) == (False, "id0")
    assert len(server.views) == 1
    assert (first["entityName"], first["projectName"], first["displayName"]) == ("me", "my_project", "super-resolution")
    specs = [json.loads(one["spec"])["section"] for one in (first, second)]
    assert specs[0]["runSets"][0]["grouping"] == [{"section": "run", "name": "group"}]
    banks = [{one["name"]: one["panels"] for one in spec["panelBankConfig"]["sections"]} for spec in specs]
    assert banks[1].keys() - banks[0].keys() == {"Pictures"}
    config = banks[0]["Validation, beside bicubic"][0]["config"]
    assert (config["xAxis"], config["metrics"]) == ("updates", ["val/psnr_y", "val/bicubic/psnr_y"])
    assert banks[1]["Pictures"][0]["config"]["mediaKeys"] == ["val/pictures/00_astronaut"]
    assert banks[0]["Losses of the discriminator"][0]["config"]["useMetricRegex"] is True


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["", "--dry-run"], "error: the name after dashboard is empty"),
        (["a/b", "--dry-run"], "error: PROJECT 'a/b' is no name of W&B's"),
        (["sr", "--entity", "", "--dry-run"], "error: --entity '' is no name of W&B's"),
        (["sr", "--runs", "gone", "--dry-run"], "error: --runs gone: there is no such folder"),
        (["sr", "--json", "outputs/run/config.yaml", "--dry-run"], "is part of a run or a sweep, and would be lost"),
    ],
)
def test_wrong_words(sr, tmp_path, words, told):
    run_folder(tmp_path / "outputs" / "run")
    code, _, err = sr("dashboard", *words)
    assert code == 2
    assert told in err
