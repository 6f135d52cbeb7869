"""What we print can be pasted: the shell gives the words back, and Hydra's parser the value."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sr.pasted import pasted, setting, training, verb
from tests.conftest import REPOSITORY

ODD = [
    "plain/run-1",
    "with space",
    " before and after ",
    "0_seed=1",
    "=ls",
    "[flips]",
    "a[1]{2}(3)",
    "Überführung",
    "it's",
    'say "so"',
    """both ' and " in one""",
    "#comment",
    "cost$HOME",
    "${HOME}",
    "$(touch pwned)",
    "`touch pwned`",
    "-leading",
    "--",
    "+plus",
    "~root",
    "a,b",
    "a;b&c|d<e>f",
    "back\\slash",
    "ends with \\",
    "\\'",
    "\\\\'x\\\\",
    "*?!^%",
    "true",
    "null",
    "1e3",
    "007",
    "a:b@c",
    "tab\there",
]
SHOW = [sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))"]


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
def test_a_shell_gives_the_words_back(tmp_path, shell):
    if shutil.which(shell) is None:
        shell = "sh"  # not on every machine
    words = [word for path in ODD for word in (Path(path), setting("resume", path))]
    line = pasted(*SHOW, *words)
    done = subprocess.run([shell, "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = [f"./{path}" if path.startswith(("-", "+", "~", "=")) else str(Path(path)) for path in ODD]
    expected = [word for path, odd in zip(shown, ODD, strict=True) for word in (path, setting("resume", odd))]
    assert done.stdout.strip() == ascii(expected)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ODD)
def test_hydra_gives_the_value_back(path):
    parsed = OverridesParser.create().parse_override(setting("resume", path))
    value = parsed.value()
    assert str(getattr(value, "text", value)).replace("\\${", "${") == path
    assert not parsed.is_sweep_override()
    assert value is not None
    assert not isinstance(value, bool | int | float)


def test_what_is_plain_stays_readable():
    assert pasted("uv", "run", Path("outputs/a_x2"), setting("resume", "outputs/a_x2")) == (
        "uv run outputs/a_x2 resume=outputs/a_x2"
    )


@pytest.mark.parametrize(
    ("folder", "train", "upscale"),
    [
        (REPOSITORY, "uv run python train.py resume=a", "uv run sr upscale"),
        (REPOSITORY / "conf", "uv run python -m sr.verbs.train resume=a", "uv run sr upscale"),
        (Path("/"), "python -m sr.verbs.train resume=a", "sr upscale"),
    ],
)
def test_commands_are_those_of_the_current_folder(monkeypatch, folder, train, upscale):
    monkeypatch.chdir(folder)
    assert (training("resume=a"), verb("upscale")) == (train, upscale)
