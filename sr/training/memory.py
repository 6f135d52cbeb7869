"""Refuse a batch that cannot fit, before the operating system kills the run."""

import psutil
import torch
from torch import Tensor, nn

from sr.training.precision import Compute
from sr.types import UserError


def bytes_kept_for_backward(network: nn.Module, lr: Tensor, compute: Compute) -> int:
    """Bytes of the tensors that one forward pass keeps for the backward pass, each counted once.

    Args:
        network: the generator.
        lr: (batch, 3, h, w) input.
        compute: number format.
    """
    kept: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), compute.autocast():
        result = network(lr)
    return sum(kept.values()) + result.untyped_storage().nbytes()


def check_batch_fits(network: nn.Module, lr_shape: tuple[int, int, int, int], compute: Compute) -> None:
    """Measure one crop and multiply.

    Args:
        network: the generator, on its device.
        lr_shape: (batch, 3, h, w) of a training batch.
        compute: device and number format.

    Raises:
        UserError: the batch needs more than the memory that is free.
    """
    batch, channels, height, width = lr_shape
    free = _free_bytes(compute.device)
    scale = int(getattr(network, "scale"))  # noqa: B009
    crops = 4 * channels * height * width * (1 + 3 * scale**2)  # lr, hr, sr and its gradient, float32
    if crops <= free:  # one crop alone may be too large to try
        state = {name: value.clone() for name, value in network.state_dict().items()}
        kept = bytes_kept_for_backward(network, torch.zeros(1, *lr_shape[1:], device=compute.device), compute)
        network.load_state_dict(state)  # a forward pass moves batch norm's statistics
        crops += kept
    needed = batch * crops
    if needed <= free:
        return
    most = max(1, int(0.8 * free / crops))
    raise UserError(
        f"a batch of {batch} crops of {height}x{width} needs about {needed / 2**30:.1f} GiB and "
        f"{free / 2**30:.1f} GiB are free: take data.batch_size={most} or less, or a smaller data.crop; "
        f"trainer.accumulate={-(-batch // most)} keeps the update the same"
    )


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
