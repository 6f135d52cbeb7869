"""Random numbers per pixel, computed where the pictures are from one 64-bit key per sample.

A number is a pure function of (key, channel, row, column): integer arithmetic that is the same on every device, and
the same whatever the size of the canvas and the other samples of the batch.
"""

import numpy as np
import torch
from jaxtyping import Float, Int32
from torch import Tensor

from sr.degradations.pictures import at_once, portions, to_device
from sr.draws import mix

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = 0x21F0AAAD, 0xD35A2D97 - 2**32
"""Multipliers of the 32-bit finaliser "lowbias32" (Wellons 2018, "Prospecting for hash functions")."""

Field = Float[Tensor, "batch channel height width"]


def uniform_field(
    keys: np.ndarray, channels: int, height: int, width: int, device: torch.device, together: bool | None = None
) -> Field:
    """Uniform numbers in [0, 1), 24 random bits each.

    Args:
        keys: (batch,) uint64, see `sr.draws.Draws.bits`.
        channels: of the field.
        height: rows.
        width: columns.
        device: where to compute it.
        together: see `sr.degradations.pictures.Pictures`.

    Returns:
        float32 (batch, channels, height, width).
    """
    made = torch.empty(len(keys), channels, height, width, device=device)
    for some in portions(len(keys), at_once(together, device)):
        made[some] = _centred(bit_field(keys[some], channels, height, width, device, word=0)).add_(0.5)
    return made


def normal_field(
    keys: np.ndarray, channels: int, height: int, width: int, device: torch.device, together: bool | None = None
) -> Field:
    """Normal numbers of mean 0 and variance 1, at most 5.77 in size.

    Box and Muller 1958, "A note on the generation of random normal deviates": rows 2i and 2i+1 share two uniform
    numbers per column.

    Args:
        keys: (batch,) uint64, see `sr.draws.Draws.bits`.
        channels: of the field.
        height: rows.
        width: columns.
        device: where to compute it.
        together: see `sr.degradations.pictures.Pictures`.

    Returns:
        float32 (batch, channels, height, width).
    """
    pairs = (height + 1) // 2
    made = torch.empty(len(keys), channels, pairs, 2, width, device=device)
    for some in portions(len(keys), at_once(together, device)):
        # In (0, 1], so that the logarithm stays finite.
        radius = _centred(bit_field(keys[some], channels, pairs, width, device, word=0)).add_(0.5 + 2.0**-24)
        radius.log_().mul_(-2).sqrt_()
        angle = _centred(bit_field(keys[some], channels, pairs, width, device, word=1)).mul_(2 * torch.pi)
        torch.mul(torch.cos(angle), radius, out=made[some, :, :, 0])
        torch.mul(angle.sin_(), radius, out=made[some, :, :, 1])
    return made.view(len(keys), channels, 2 * pairs, width)[:, :, :height]


def bit_field(
    keys: np.ndarray, channels: int, height: int, width: int, device: torch.device, word: int = 0
) -> Int32[Tensor, "batch channel height width"]:
    """32 random bits per pixel; the upper ones are the better mixed.

    A row's two words are made on the CPU (`sr.draws.mix`); the device mixes them with the column.

    Args:
        keys: (batch,) uint64, see `sr.draws.Draws.bits`.
        channels: of the field.
        height: rows.
        width: columns.
        device: where to compute it.
        word: another number gives another field.

    Returns:
        int32 (batch, channels, height, width).
    """
    with np.errstate(over="ignore"):
        columns = mix(np.arange(1, width + 1, dtype=np.uint64) * _GOLDEN)
        place = np.arange(channels, dtype=np.uint64)[:, None] * np.uint64(2**32) + np.arange(height, dtype=np.uint64)
        place += np.uint64(word) * np.uint64(2**56) + np.uint64(1)
        rows = mix(mix(place * _GOLDEN)[None] ^ keys.astype(np.uint64)[:, None, None])
    low, high = _words(rows)
    bits = to_device(low, device)[..., None] ^ to_device(_words(columns)[0], device)
    shifted = bits >> 16
    # The shift keeps the sign of an int32: the mask makes it the logical shift that the hash asks for.
    bits.bitwise_xor_(shifted.bitwise_and_(0xFFFF)).mul_(_FIRST).add_(to_device(high, device)[..., None])
    torch.bitwise_right_shift(bits, 15, out=shifted)
    return bits.bitwise_xor_(shifted.bitwise_and_(0x1FFFF)).mul_(_SECOND)


def _words(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper halves of uint64, as int32."""
    halves = np.ascontiguousarray(bits.astype("<u8")).view("<i4").reshape(*bits.shape, 2)
    return halves[..., 0], halves[..., 1]


def _centred(bits: Tensor) -> Tensor:
    """Multiples of 2^-24 in [-0.5, 0.5) from the upper 24 bits, exact in float32."""
    return bits.bitwise_right_shift_(8).float().mul_(2.0**-24)
