"""What a shipped network says of how it was made."""

from pathlib import Path

import pytest

from sr.errors import UserError
from sr.inference.trained import in_words, trained_of
from sr.models.files import NetworkInfo

TOLD = {
    "command": "uv run python train.py experiment=shipped/x2",
    "seed": 0,
    "machine": "a chip, 2 cores, torch 2.15.0",
    "date": "2026-11-30",
    "on": "data=generated degradation=bicubic",
    "figures": {
        "Set14": {"psnr_y": 32.704, "bicubic_psnr_y": 30.23},
        "web": {"psnr_y": 25.0, "lpips": 0.2, "bicubic_lpips": 0.4},
    },
}


def info(told):
    return NetworkInfo(Path("x2.safetensors"), {}, 2, {} if told is None else {"trained": told})


def test_what_is_written_is_read():
    trained = trained_of(info(TOLD))
    assert trained is not None
    assert trained.plain() == TOLD
    assert in_words(trained.figures) == "Set14 32.70 dB (+2.47); web 25.00 dB, LPIPS 0.200 (bicubic 0.400)"


def test_other_networks_say_nothing():
    assert trained_of(info(None)) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"command": ""}, "command='' is no text"),
        ({"machine": 3}, "machine=3 is no text"),
        ({"date": "yesterday"}, "Invalid isoformat string: 'yesterday'"),
        ({"seed": True}, "seed=True is no whole number"),
        ({"figures": {}}, "figures has no test set"),
        ({"figures": {"Set14": {"ssim_y": 0.9}}}, "figures of 'Set14' have no psnr_y"),
        ({"figures": {"Set14": {"psnr_y": float("nan")}}}, "figures of 'Set14': 'psnr_y' is nan"),
        ({"figures": {"Set14": {"psnr_y": 10**400}}}, "figures of 'Set14': 'psnr_y' is 1000"),
        ({"figures": {"Set14": {"psnr_y": 1.0, "\x1b": 2}}}, "figures of 'Set14': '\\x1b' is 2"),
        ({"more": 1}, "unexpected keyword argument 'more'"),
    ],
)
def test_damage_is_one_sentence(changed, reason):
    with pytest.raises(UserError) as caught:
        trained_of(info(TOLD | changed))
    message = str(caught.value)
    assert message.startswith("x2.safetensors has damaged metadata under 'extra.trained' (")
    assert reason in message


@pytest.mark.parametrize("told", [3, "text", [1], {}])
def test_another_kind_is_one_sentence(told):
    with pytest.raises(UserError, match=r"has damaged metadata under 'extra\.trained'"):
        trained_of(info(told))
