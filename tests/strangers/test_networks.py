"""Network files, checkpoints and bundles of strangers: what they describe is no larger than what they hold."""

import json
import math
import pickle
import struct
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from sr.errors import UserError
from sr.experiments.table import row_in
from sr.models.bounded import too_large
from sr.models.espcn import Espcn
from sr.models.files import load_network, save_network
from sr.training.keeping.bundle import read_bundle
from sr.training.keeping.checkpoint import read_checkpoint
from sr.training.keeping.loggers.csv import CsvLog
from sr.training.keeping.run_folder import RunFolder
from sr.verbs.screen.runs import print_runs
from tests.strangers.mark import MARK

OLD = Path(__file__).parents[1] / "old_runs" / "daa0cad"
ESPCN = {"_target_": "sr.models.espcn.Espcn", "scale": 2, "features": 4, "dilations": [1]}
RDN = {"_target_": "sr.models.rdn.Rdn", "scale": 2, "features": 4, "growth": 4, "blocks": 1, "layers": 1}
DEEP = "[" * 100_000 + "]" * 100_000
MODELS = {
    "nested": '{"_target_": "sr.models.espcn.Espcn", "scale": 2, "features": ' + DEEP + "}",
    "nested in extra": None,
    "features": ESPCN | {"features": 10_000_000},
    "features, negative": ESPCN | {"features": -4},
    "features, 5000 digits": '{"_target_": "sr.models.espcn.Espcn", "scale": 2, "features": ' + "9" * 5000 + "}",
    "features, a float": ESPCN | {"features": 4.5},
    "features, huge float": ESPCN | {"features": 1e300},
    "features, text": ESPCN | {"features": "4"},
    "features, null": ESPCN | {"features": None},
    "NaN": ESPCN | {"negative_slope": float("nan")},
    "infinite": ESPCN | {"negative_slope": float("inf")},
    "200000 dilations": ESPCN | {"dilations": [1] * 200_000},
    "50 dilations": ESPCN | {"dilations": [1] * 50},
    "a dilation": ESPCN | {"dilations": [10**9]},
    "dilations, a mapping": ESPCN | {"dilations": {"a": 1}},
    "refine": ESPCN | {"tail": "refine", "refine_features": 10_000},
    "tail": ESPCN | {"tail": "\x1b[2J"},
    "layers": RDN | {"layers": 10**9},
    "layers, some": RDN | {"layers": 1000},
    "blocks": RDN | {"blocks": 10**12},
    "blocks, some": RDN | {"blocks": 60},
    "growth": RDN | {"growth": 2000},
    "scale": ESPCN | {"scale": 10**6},
    "scale, text": ESPCN | {"scale": "2"},
    "scale, true": ESPCN | {"scale": True},
    "no scale": {"_target_": "sr.models.espcn.Espcn"},
    "no target": {"scale": 2},
    "target, a list": ESPCN | {"_target_": ["sr.models.espcn.Espcn"]},
    "target, private": ESPCN | {"_target_": "sr.models.espcn._tail"},
    "target, through a module": ESPCN | {"_target_": "sr.models.files.importlib.import_module"},
    "target, not of the room": ESPCN | {"_target_": "sr.models.espcn.nn.Identity"},
    "target, imported there": ESPCN | {"_target_": "sr.models.espcn.Sequence"},
    "target, control": ESPCN | {"_target_": "\x1b]0;x\x07"},
}


@pytest.fixture(scope="module")
def good():
    return Espcn(scale=2, features=4, dilations=(1,)).state_dict()


def written(path, tensors, model, extra="{}"):
    text = model if isinstance(model, str) else json.dumps(model)
    metadata = {"format": "sr-toolkit/1", "model": text, "scale": "2", "extra": extra}
    path.write_bytes(safetensors.torch.save(tensors, metadata))
    return path


def test_no_depth_of_metadata_is_an_error_of_ours(tmp_path):
    for depth in range(50, 1000, 3):  # some of which Python reads, and fails at what comes after
        model = json.dumps(ESPCN)[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
        metadata = {"format": "sr-toolkit/1", "model": model, "scale": "2", "extra": "{}"}
        (tmp_path / "x.safetensors").write_bytes(safetensors.torch.save({"a": torch.zeros(1)}, metadata))
        told = "unexpected keyword" if depth < 64 else "nested too deep"
        with pytest.raises(UserError, match=told):
            load_network(tmp_path / "x.safetensors")


def test_arguments_of_any_depth_are_judged():
    value: list[object] = [float("nan")]
    for _ in range(100_000):
        value = [value]
    assert too_large(value, {"a": torch.zeros(1)}) == "a network by nan"


@pytest.mark.parametrize("value", [10**400, 1e999, [10**9], "x"])
def test_times_are_no_way_around_what_is_judged(value):
    fault = too_large({"cool_until": value}, {"a": torch.zeros(1)})
    assert (fault is None) == (value == "x")


@pytest.mark.parametrize("case", MODELS)
def test_what_a_network_says_of_itself(case, good, tmp_path):
    path = written(tmp_path / "x.safetensors", good, MODELS[case] or ESPCN, DEEP if MODELS[case] is None else "{}")
    with pytest.raises(UserError, match=r"x\.safetensors") as error:
        load_network(path)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 700


HEADERS = {
    "length beyond the file": struct.pack("<Q", 10**6) + b"{}",
    "length beyond memory": struct.pack("<Q", 2**63) + b"{}",
    "length 0": struct.pack("<Q", 0),
    "no length": b"\x01",
    "nested": struct.pack("<Q", 200_000) + DEEP.encode(),
    "offsets beyond": b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
    "offsets that overlap": b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
    b'"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
    "shape beyond the offsets": b'{"a":{"dtype":"F32","shape":[100000,100000],"data_offsets":[0,4]}}',
    "shape that overflows": b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}',
    "negative shape": b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
    "unknown type": b'{"a":{"dtype":"OBJ","shape":[1],"data_offsets":[0,4]}}',
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_lie(case, tmp_path):
    header = HEADERS[case]
    whole = (
        header if case.startswith(("length", "no", "nested")) else struct.pack("<Q", len(header)) + header + bytes(4)
    )
    (tmp_path / "x.safetensors").write_bytes(whole)
    with pytest.raises(UserError, match=r"x\.safetensors"):
        load_network(tmp_path / "x.safetensors")


class Evil:
    def __reduce__(self):
        import os

        return os.system, (f"touch {MARK}",)


CHECKPOINTS = {
    "a call": {"format": "sr-checkpoint/1", "config": Evil()},
    "an instance": {"format": "sr-checkpoint/1", "config": Path("x")},
    "a list": [1],
    "another format": {"format": ["sr-checkpoint/1"]},
}


@pytest.mark.parametrize("case", CHECKPOINTS)
@pytest.mark.parametrize("way", ["torch", "pickle"])
def test_checkpoints_that_call(case, way, tmp_path):
    path = tmp_path / "x.ckpt"
    if way == "torch":
        torch.save(CHECKPOINTS[case], path)
    else:
        path.write_bytes(pickle.dumps(CHECKPOINTS[case]))
    with pytest.raises(UserError, match=r"x\.ckpt"):
        read_checkpoint(path)
    assert not Path(MARK).exists()


BUNDLES = {
    "nothing": {},
    "batches, a number": {"batches": 7},
    "a batch of nothing": {"batches": [{}]},
    "a batch with more": {"batches": [{"hr": 1, "x": 2}]},
    "a batch that is a list": {"batches": [[1]]},
}


@pytest.mark.parametrize("case", BUNDLES)
def test_bundles_of_other_things(case, tmp_path):
    torch.save({"format": "sr-bundle/1", **BUNDLES[case]}, tmp_path / "x.bug")
    with pytest.raises(UserError, match=r"x\.bug holds what no run of this version has written"):
        read_bundle(tmp_path / "x.bug")


OURS = json.loads((OLD / "summary.json").read_text())
WRONG = {
    "exit_reason": [5, None],
    "updates": ["x", None, 1.5],
    "seconds": ["x", [1]],
    "updates_per_second": ["x", {}],
    "parameters": ["x", None],
    "best": [None, [1], {"psnr_y": "x"}],
    "bicubic": [None, 5],
    "final": [None, {"psnr_y": [1]}],
}
SUMMARIES = {
    "nested": DEEP.encode(),
    "large": b'{"exit_reason": "' + b"x" * 2_000_000 + b'"}',
    "5000 digits": b'{"exit_reason": ' + b"9" * 5000 + b"}",
    "a list": b"[1]",
    "no text": b"\xff\xfe",
    "nothing": b"",
    "the reason alone": b'{"exit_reason": "max_updates"}',
    **{
        f"{key} is {value}": json.dumps(OURS | {key: value}).encode()
        for key, values in WRONG.items()
        for value in values
    },
    **{f"no {key}": json.dumps({k: v for k, v in OURS.items() if k != key}).encode() for key in WRONG},
}


@pytest.mark.parametrize("case", SUMMARIES)
def test_summaries(case, tmp_path):
    (tmp_path / "summary.json").write_bytes(SUMMARIES[case])
    assert RunFolder(tmp_path).read_summary() is None


def test_a_summary_of_ours_is_read_again(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_summary(OURS | {"best": {"psnr_y": math.nan, "updates": 4}, "bicubic": {"psnr_y": math.inf}})
    read = folder.read_summary()
    assert read is not None
    assert math.isnan(read["best"]["psnr_y"])
    assert math.isnan(read["bicubic"]["psnr_y"])
    (tmp_path / "config.yaml").write_text("model: {}\ntrainer: {}\n")
    row = row_in(tmp_path)
    assert (row.updates, row.best_updates) == (OURS["updates"], 4)
    print_runs([("one", row)], "runs")  # what is read can be shown


def test_a_summary_whose_best_is_at_no_update(tmp_path):
    (tmp_path / "config.yaml").write_text("model: {}\ntrainer: {monitor: [5]}\n")
    (tmp_path / "summary.json").write_text(json.dumps(OURS | {"best": {"psnr_y": 3, "updates": None}}))
    row = row_in(tmp_path)
    assert (row.best_updates, row.best) == (-1, {"psnr_y": 3})
    print_runs([("one", row)], "runs")


def test_a_folder_in_place_of_the_summary(tmp_path):
    (tmp_path / "summary.json").mkdir()
    assert RunFolder(tmp_path).read_summary() is None


TABLES = {
    "a field of a million": b"updates,a\n1," + b"x" * 1_000_000 + b"\n",
    "another table": b"a,b\n1,2\n",
}
ROWS = {
    "superscript": "²,1",
    "5000 digits": "9" * 5000 + ",1",
    "negative": "-1,1",
    "short": "1",
    "NUL": "\x00,1",
    "a word": "x,1",
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_that_are_none(case, tmp_path):
    (tmp_path / "metrics.csv").write_bytes(TABLES[case])
    with pytest.raises(UserError, match=r"metrics\.csv"):
        CsvLog(tmp_path / "metrics.csv").resume_from(10)


@pytest.mark.parametrize("case", ROWS)
def test_rows_that_are_none(case, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(f"updates,a\n{ROWS[case]}\n2,3\n")
    CsvLog(path).resume_from(10)
    assert path.read_text().splitlines() == ["updates,a", "2,3"]


def test_formulas_in_a_kept_table(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("updates,=cmd|' /C calc'!A0,b\n1,@SUM(1),-0.5\n2,+1e-3,=1\n")
    CsvLog(path).resume_from(10)
    assert path.read_text().splitlines() == ["updates,'=cmd|' /C calc'!A0,b", "1,'@SUM(1),-0.5", "2,+1e-3,'=1"]


OWN = """
from torch import nn
class MyNet(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale, self.up = scale, nn.Upsample(scale_factor=scale)
        self.mix = nn.Conv2d(3, 3, 1)
    def forward(self, lr):
        return self.mix(self.up(lr))
"""


def test_a_network_of_ones_own_is_written_and_loaded_with_trust(tmp_path, monkeypatch, sr, pictures):
    (tmp_path / "net_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    import net_of_mine

    path = tmp_path / "own.safetensors"
    save_network(path, net_of_mine.MyNet(2), {"_target_": "net_of_mine.MyNet", "scale": 2}, {})
    del sys.modules["net_of_mine"]
    with pytest.raises(UserError, match=r"'net_of_mine.MyNet', which is not under sr.models.* add --trust"):
        load_network(path)
    assert "net_of_mine" not in sys.modules
    assert load_network(path, trust=True)[0].scale == 2
    picture = next(pictures.glob("*.png"))
    code, _, err = sr("upscale", picture, "-o", "out.png", "--model", path)
    assert (code, "add --trust" in err) == (2, True)
    code, _, _ = sr("upscale", picture, "-o", "out.png", "--model", path, "--trust")
    assert (code, (tmp_path / "out.png").exists()) == (0, True)
