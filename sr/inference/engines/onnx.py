"""Networks computed by other programs, which read them as ONNX: onnxruntime and OpenVINO."""

import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sr.inference.engines.engine import Precision
from sr.inference.export.extras import need
from sr.inference.export.onnx import INPUT, OUTPUT, onnx_bytes
from sr.models.scales import scale_of


class OnnxRuntimeEngine:
    """A network in onnxruntime, on the processor, in float32; each call uses the thread that it comes from.

    Args:
        network: a generator.

    Raises:
        UserError: packages are missing, or the network cannot be written as ONNX.
    """

    name = "onnxruntime"

    def __init__(self, network: nn.Module) -> None:
        need("onnx", "onnxruntime")
        import onnxruntime

        self.scale = scale_of(network)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(onnx_bytes(network), options, providers=["CPUExecutionProvider"])

    def __call__(self, lr: Tensor) -> Tensor:
        """See `Engine.__call__`."""
        (sr,) = self._session.run([OUTPUT], {INPUT: lr.contiguous().cpu().numpy()})
        return torch.from_numpy(sr)


class OpenVinoEngine:
    """A network in OpenVINO, on the processor; calls from several threads run side by side, on a core each.

    Args:
        network: a generator.
        precision: number format of its layers.
        workers: how many calls there are at once.

    Raises:
        UserError: packages are missing, or the network cannot be written as ONNX.
    """

    def __init__(self, network: nn.Module, precision: Precision = "32", workers: int = 1) -> None:
        need("openvino", "openvino")
        import openvino

        self.scale = scale_of(network)
        formats = {"32": "f32", "bf16": "bf16", "16": "f16"}
        self.name = "OpenVINO" if precision == "32" else f"OpenVINO, {formats[precision]}"
        settings = {
            "INFERENCE_PRECISION_HINT": formats[precision],  # else bfloat16, wherever the processor has it
            "NUM_STREAMS": workers,
            "INFERENCE_NUM_THREADS": workers,
        }
        # Its first look at an array sets something up once, and two threads that do so at once wait for each other.
        _ = openvino.Tensor(np.zeros((1, 3, 1, 1), np.float32)).data
        core = openvino.Core()
        self._compiled: Any = core.compile_model(core.read_model(onnx_bytes(network)), "CPU", settings)
        self._own = threading.local()

    def __call__(self, lr: Tensor) -> Tensor:
        """See `Engine.__call__`."""
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        found = self._own.request.infer({INPUT: lr.contiguous().cpu().numpy()})
        return torch.from_numpy(found[0].copy())
