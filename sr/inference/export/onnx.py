"""A network as an ONNX graph that takes pictures of any size."""

from typing import Any

import torch
from torch import nn

from sr.errors import UserError
from sr.inference.export.extras import need
from sr.inference.export.traced import quiet, short, traced

INPUT, OUTPUT = "input", "output"
AXES = {0: "n", 2: "h", 3: "w"}  # the axes of any length, and their names
OPSET = 18  # of 2022: read by every program of the last years; DepthToSpace, PRelu and Resize are older


def onnx_bytes(network: nn.Module, half: bool = False) -> bytes:
    """A network as an ONNX file.

    Its ``input`` is (n, 3, h, w) float32 RGB in [0, 1] of any n, h, w, its ``output`` (n, 3, s*h, s*w) float32, not
    clipped.

    Args:
        network: a generator with its weights; it stays as it is.
        half: weights and sums in float16 where training has bfloat16; input and output stay float32.

    Raises:
        UserError: packages are missing, or the network does what ONNX has no operators for.
    """
    need("onnx", "onnx", "onnxscript")
    program = traced(network, half)
    try:
        with quiet():
            written = torch.onnx.export(
                program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], opset_version=OPSET, verbose=False
            )
    except Exception as error:  # whatever a network of somebody else meets in the exporter
        raise UserError(
            f"{type(network).__name__} cannot be written as ONNX ({short(error)}); --format pt2 may hold it"
        ) from error
    assert written is not None
    return _finished(written.model_proto).SerializeToString()


def _finished(model: Any) -> Any:
    """The file as others should see it: axes with names, 16-bit weights as such, no paths of this machine."""
    from onnx import TensorProto, numpy_helper

    graph = model.graph
    for value, scaled in ((graph.input[0], ""), (graph.output[0], "out_")):
        for axis, name in AXES.items():
            value.type.tensor_type.shape.dim[axis].dim_param = name if axis == 0 else scaled + name
    weights = {weight.name: weight for weight in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Cast" and node.input[0] in weights]:
        if node.attribute[0].i == TensorProto.FLOAT16:  # large ones, which the exporter leaves to be cast each time
            half = numpy_helper.to_array(weights[node.input[0]]).astype("float16")
            graph.initializer.append(numpy_helper.from_array(half, node.output[0]))
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for weight in [weight for weight in graph.initializer if weight.name not in used]:
        graph.initializer.remove(weight)
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        part.ClearField("metadata_props")  # with every line of code that was run
        part.ClearField("doc_string")
    graph.ClearField("value_info")  # sizes in the middle, by names that nobody else knows
    return model
