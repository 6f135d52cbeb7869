"""The devices of this machine: which to take, how much memory they have, and whether it ran out."""

from typing import Literal

import psutil
import torch

_FULL = (
    "can't allocate memory",  # PyTorch on Linux and macOS
    "not enough memory",  # on Windows
    "MPS backend out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Failed to allocate memory",  # onnxruntime
)
"""What is said where memory runs out, by libraries that have no exception of their own for it."""

Accelerator = Literal["auto", "cpu", "gpu", "mps"]


def choose_device(accelerator: Accelerator, setting: str, rank: int = 0) -> torch.device:
    """The device of this process; ``auto`` takes a GPU where there is one.

    Args:
        accelerator: what is asked for.
        setting: how the user asks for it, up to the value, for the message: ``trainer.accelerator=``.
        rank: number of this process among those that share the work; each takes another GPU.

    Raises:
        ValueError: a GPU is asked for and there is none.
    """
    if accelerator in ("auto", "gpu") and torch.cuda.is_available():
        return torch.device("cuda", rank if rank < torch.cuda.device_count() else torch.cuda.current_device())
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    if accelerator in ("gpu", "mps"):
        raise ValueError(f"{setting}{accelerator}: PyTorch sees no such device; take cpu or auto")
    return torch.device("cpu")


def native_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware: AVX512-BF16 or AMX on CPUs, Ampere or newer on GPUs."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def free_bytes(device: torch.device) -> int:
    """Memory of the device that nobody uses; what PyTorch holds for its next tensors counts as free."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    return int(psutil.virtual_memory().available)


def out_of_memory(error: Exception) -> bool:
    """Whether an exception means that memory ran out."""
    text = str(error)
    return any(words in text for words in _FULL) or isinstance(error, MemoryError | torch.OutOfMemoryError)
