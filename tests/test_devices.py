"""Memory of devices: how much is free, and how libraries say that it ran out."""

import pytest
import torch

from sr.devices import free_bytes, out_of_memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.07 GB, max allowed: 9.07 GB)"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        Exception("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer"),
    ],
    ids=str,
)
def test_memory_that_runs_out_is_known_by_its_words(error):
    assert out_of_memory(error)
    assert not out_of_memory(type(error)("something else")) or isinstance(error, MemoryError | torch.OutOfMemoryError)


def test_what_pytorch_keeps_for_later_is_free(monkeypatch):
    for name, value in (("mem_get_info", (100, 900)), ("memory_reserved", 70), ("memory_allocated", 20)):
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert free_bytes(torch.device("cuda", 0)) == 150
