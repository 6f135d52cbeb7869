"""Other programs compute the same picture, and the fastest is taken for a reason."""

import pytest
import torch

from sr.devices import free_bytes
from sr.errors import UserError
from sr.inference.engines import choosing
from sr.inference.engines.choosing import choose_engine, operations_per_pixel
from sr.inference.engines.torch import TorchEngine
from sr.inference.memory import bytes_per_pixel
from sr.inference.upscaler import Upscaler
from sr.models.compact import Compact

CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", ["onnxruntime", "openvino"])
def test_each_engine_makes_the_same_picture(kind):
    network, lr = Compact(2, 8, 2).eval(), torch.rand(1, 3, 131, 150)
    pytest.importorskip(kind)
    expected = Upscaler([network], CPU, engine="torch").image(lr)
    assert (Upscaler([network], CPU, engine=kind, tile=64).image(lr) - expected).abs().max() < 1 / 255 / 8


@pytest.mark.parametrize(("factor", "expected"), [(0.5, "rival"), (0.95, "torch"), (2.0, "torch")])
@pytest.mark.parametrize("error", [UserError("it cannot"), ImportError("it cannot"), RuntimeError("it cannot\nat all")])
def test_the_fastest_is_taken_where_it_is_worth_it(monkeypatch, factor, expected, error):
    network = Compact(2, 4, 1)

    class Rival:
        name, scale = "rival", 2

        def __call__(self, lr):
            return TorchEngine(network, CPU)(lr) + 0.003

    def made(kind, network, precision, workers):
        if kind == "openvino":
            raise error
        return Rival()

    monkeypatch.setattr(choosing, "_made", made)
    monkeypatch.setattr(choosing, "find_spec", lambda name: name)
    monkeypatch.setattr(choosing, "seconds", lambda engine, window: factor if engine.name == "rival" else 1.0)
    said = []
    lr = torch.rand(1, 3, 1000, 1000)
    assert choose_engine(network, "auto", CPU, trial=lr, say=said.append).name == expected
    rate = f"{1 / factor:.3g}"
    assert said == [
        "openvino is left out: it cannot",
        f"engine: {expected} (torch 1, rival {rate} million pixels per second and core)",
    ]


def test_a_rival_that_breaks_or_makes_another_picture_is_left_out(monkeypatch):
    class Rival(TorchEngine):
        def __call__(self, lr):
            if self.name == "onnxruntime":
                raise RuntimeError("no such instruction")
            return super().__call__(lr) + 0.02

    def made(kind, network, precision, workers):
        rival = Rival(network, CPU)
        rival.name = kind
        return rival

    monkeypatch.setattr(choosing, "_made", made)
    monkeypatch.setattr(choosing, "find_spec", lambda name: name)
    said = []
    network, lr = Compact(2, 4, 1), torch.rand(1, 3, 20, 20)
    assert choose_engine(network, "auto", CPU, trial=lr, say=said.append).name == "torch"
    assert said == [
        "openvino is left out: it differs by 5.1 of 255 levels from PyTorch",
        "onnxruntime is left out: no such instruction",
    ]


def test_what_an_engine_does_not_do():
    network = Compact(2, 4, 1)
    with pytest.raises(UserError, match=r"^engine=onnxruntime computes in float32, not bf16"):
        choose_engine(network, "onnxruntime", CPU, "bf16")
    with pytest.raises(UserError, match=r"^engine=openvino runs on the processor here, not on meta"):
        choose_engine(network, "openvino", torch.device("meta"))


def test_operations_and_bytes_are_counted():
    network = Compact(2, 8, 1).eval()
    assert operations_per_pixel(network) == 2 * 9 * (3 * 8 + 8 * 8 + 8 * 12)
    assert 4 * (3 + 2 * 8) <= bytes_per_pixel(network) <= 1.5 * 4 * (3 + 3 * 12 + 8 * 8)
    assert free_bytes(CPU) > 0
