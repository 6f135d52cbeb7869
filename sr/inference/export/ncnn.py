"""A network for ncnn, which Upscayl, realesrgan-ncnn-vulkan and chaiNNer run on any GPU by Vulkan."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sr.errors import UserError
from sr.inference.export.extras import need
from sr.inference.export.plain import Plain
from sr.inference.export.traced import quiet
from sr.printable import first_line, printable

BLOBS = {"in0": "data", "out0": "output"}  # pnnx's names, and those that realesrgan-ncnn-vulkan asks for
_SIZES = ((20, 24), (36, 28))  # pnnx compares the two to see which numbers follow from the size
_LARGEST = 300  # characters of somebody else's message


def ncnn_files(network: nn.Module, half: bool = False) -> tuple[bytes, bytes]:
    """The network as ncnn's two files, ``.param`` (text) and ``.bin``, for one picture of any size at a time.

    Args:
        network: a generator.
        half: weights in float16.

    Raises:
        UserError: packages are missing, or ncnn has no operators for what the network does.
    """
    need("ncnn", "pnnx", "ncnn")
    with tempfile.TemporaryDirectory(prefix="sr-ncnn-") as name:
        folder = Path(name)
        try:
            with quiet(), torch.no_grad():
                followed = torch.jit.trace(Plain(network).eval(), torch.zeros(1, 3, *_SIZES[0]), check_trace=False)
            followed.save(str(folder / "n.pt"))
        except Exception as error:  # whatever a network of somebody else meets in the tracer
            raise _refused(network, first_line(error)) from error
        said = _converted(folder, half)
        param, weights = folder / "n.ncnn.param", folder / "n.ncnn.bin"
        if not param.is_file() or not weights.is_file():
            raise _refused(network, said)
        return _renamed(network, param.read_text()).encode(), weights.read_bytes()


def _converted(folder: Path, half: bool) -> str:
    """Run pnnx on ``n.pt``; what it said."""
    import pnnx

    program = Path(pnnx.__file__).parent / "pnnx"
    if not program.is_file():
        program = program.with_suffix(".exe")
    shapes = [f"inputshape{n}=[1,3,{h},{w}]f32" for n, (h, w) in zip(("", "2"), _SIZES, strict=True)]
    command = [str(program), "n.pt", *shapes, f"fp16={int(half)}"]
    try:
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise UserError(f"pnnx does not start here: {error.strerror or error}") from error
    return ended.stderr


def _renamed(network: nn.Module, text: str) -> str:
    """The text of a ``.param`` file by the names of blobs that programs look for.

    Its lines are: a number, counts, then per layer its type, name, numbers of inputs and outputs, these blobs' names,
    and its settings.
    """
    lines = text.splitlines()
    for number, line in enumerate(lines[2:], 2):
        words = line.split()
        if "::" in words[0] or words[0].startswith(("pnnx.", "nn.", "F.", "torch.", "Tensor.")):
            raise _refused(network, f"ncnn has no layer {words[0]}")
        blobs = range(4, 4 + int(words[2]) + int(words[3]))
        lines[number] = " ".join(BLOBS.get(w, w) if place in blobs else w for place, w in enumerate(words))
    return "\n".join(lines) + "\n"


def ncnn_applied(path: Path, lr: Tensor) -> Tensor:
    """What ncnn makes of a picture, on the CPU with sums in float32.

    Args:
        path: .param that was just written, with its .bin beside it.
        lr: (1, 3, h, w) float32 in [0, 1].
    """
    import ncnn

    net = ncnn.Net()
    for precision in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{precision}", False)
    if net.load_param(str(path)) != 0 or net.load_model(str(path.with_suffix(".bin"))) != 0:
        raise UserError(f"ncnn does not open {printable(path)}; --format onnx holds this network")
    with net.create_extractor() as extractor:
        extractor.input("data", ncnn.Mat(np.ascontiguousarray(lr[0].numpy())).clone())
        code, result = extractor.extract("output")
        if code != 0:
            raise UserError(f"ncnn cannot run {printable(path)}; --format onnx holds this network")
        return torch.from_numpy(np.array(result)[None])


def _refused(network: nn.Module, said: str) -> UserError:
    reason = printable((said.strip().splitlines() or ["no reason given"])[-1])[:_LARGEST]
    return UserError(f"{type(network).__name__} cannot be written for ncnn ({reason}); --format onnx may hold it")
