"""The one tolerance table of the suite. Nobody picks a tolerance by taste: fix the data before loosening it."""

import torch

RTOL_ATOL: dict[torch.dtype, tuple[float, float]] = {
    torch.bfloat16: (1.6e-2, 1e-2),
    torch.float16: (1e-3, 1e-3),
    torch.float32: (1e-4, 1e-5),
    torch.float64: (1e-7, 1e-9),
}


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal up to the rounding of the coarser of the two dtypes."""
    dtype = max((actual.dtype, expected.dtype), key=lambda d: RTOL_ATOL[d][0])
    rtol, atol = RTOL_ATOL[dtype]
    torch.testing.assert_close(actual, expected.to(actual.device), rtol=rtol, atol=atol, check_dtype=False)
