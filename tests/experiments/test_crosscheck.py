"""tools/crosscheck_claims.py runs, with weights that say nothing."""

import subprocess
import sys

import pytest
import torch
import torchvision

from tests.conftest import REPOSITORY

PROGRAM = REPOSITORY / "tools" / "crosscheck_claims.py"


@pytest.mark.slow
def test_three_claims_in_plain_loops(tmp_path):
    torch.manual_seed(0)
    stack = torchvision.models.vgg16(weights=None).features[:8]
    torch.save({f"features.{name}": value for name, value in stack.state_dict().items()}, tmp_path / "vgg16_cut.pth")
    (tmp_path / "log.json").write_text(
        '[{"entry": "log/31_alias", "claim": "psnr", "verdict": "holds", "value": 1.5, "spread": 0.25}]'
    )
    command = [sys.executable, str(PROGRAM), "--updates", "2", "--seeds", "2", "--log", str(tmp_path / "log.json")]
    done = subprocess.run(command, capture_output=True, text=True, env={"SR_WEIGHTS": str(tmp_path)}, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("| #")]
    assert len(rows) == 10
    assert rows[0].startswith("| #31 - #29 | psnr_rgb | > |")
    assert rows[0].endswith("| holds: +1.5, spread 0.25 |")


def test_it_shares_nothing_with_the_package():
    files = sorted(PROGRAM.parent.glob("crosscheck_*.py"))
    assert len(files) == 3
    for path in files:
        assert "import sr" not in path.read_text()
        assert "from sr" not in path.read_text()


@pytest.mark.slow
def test_without_weights_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, env={"SR_WEIGHTS": str(tmp_path)}
    )
    assert done.returncode == 1
    assert done.stderr == f"no vgg16*.pth in SR_WEIGHTS={tmp_path}; name a folder or a file with VGG16's weights\n"
