"""Poisson variates of 8-bit pictures, from a table made once instead of a loop per pixel.

A picture quantised to 256 levels and 9 numbers of photons has 2304 different expectations, so that the alias method
(Walker 1977, "An efficient method for generating discrete random variables with general distributions") gives a
variate with one look-up. Probabilities are exact to 2^-31, including the tails.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int32
from torch import Tensor

from sr.degradations.fields import bit_field

Levels = Int32[Tensor, "batch channel height width"]

EXPONENTS = 9
"""Photons at white are 2^0 to 2^8."""
SLOT_BITS = 9
"""512 counts per expectation: of 256 photons more than 511 arrive with probability 1e-44."""
SHARE_BITS = 22
"""The rest of the 31 bits: which of a slot's two counts it is."""


def poisson_noise(levels: Levels, exponents: Int32[Tensor, " batch"], keys: np.ndarray) -> Float[Tensor, "..."]:
    """Poisson(x v) / v - x, the photon noise of a picture x = levels / 255 at v = 2^exponent photons for white.

    Args:
        levels: (batch, channel, height, width) 0 to 255.
        exponents: (batch,) 0 to 8, on the device of the levels.
        keys: (batch,) uint64 on the CPU.

    Returns:
        float32 of the levels' shape; mean 0, variance x / v.
    """
    _, channels, height, width = levels.shape
    bits = bit_field(keys, channels, height, width, levels.device)
    row = exponents[:, None, None, None]
    slots = (bits >> SHARE_BITS + 1).bitwise_and_(2**SLOT_BITS - 1)
    places = ((levels + 256 * row) << SLOT_BITS).add_(slots)
    entries = _table_on(levels.device).index_select(0, places.view(-1)).view_as(places)
    own = bits.bitwise_and_(2**SHARE_BITS - 1) < entries >> SLOT_BITS
    counts = torch.where(own, slots, entries.bitwise_and_(2**SLOT_BITS - 1)).float()
    return counts.mul_(torch.exp2(-row.float())).sub_(levels.float().div_(255))


def photon_exponents(levels: Levels, own: Tensor | None = None) -> Int32[Tensor, " batch"]:
    """ceil(log2(number of different levels)) of each picture; nothing waits for the device.

    Args:
        levels: (batch, channel, height, width) 0 to 255.
        own: bool (batch, 1, height, width), which pixels count; None means all.

    Returns:
        int32 (batch,), 0 to 8, on the device of the levels.
    """
    batch = len(levels)
    bins = levels.long() if own is None else torch.where(own, levels, 256).long()
    found = torch.zeros(batch, 257, dtype=torch.int32, device=levels.device)
    found.scatter_(1, bins.view(batch, -1), 1)
    different = found[:, :256].sum(1, keepdim=True)
    powers = 2 ** torch.arange(EXPONENTS - 1, device=levels.device)
    return (different > powers).sum(1).int()


@cache
def poisson_table() -> np.ndarray:
    """Alias table of all expectations: int32 (9 * 256 * 512,).

    Entry (e, level, slot) holds the share of the slot that belongs to its own count, in 2^-22, above the 9 bits of the
    count that the rest of the slot belongs to.
    """
    slots = 2**SLOT_BITS
    expectations = (2.0 ** np.arange(EXPONENTS)[:, None] * np.arange(256) / 255).reshape(-1, 1)
    counts = np.arange(slots)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.exp(counts * np.log(expectations) - expectations - log_factorial)
    weights[expectations[:, 0] == 0] = counts == 0
    shares, others = alias(weights)
    kept = np.minimum(np.rint(shares * 2**SHARE_BITS), 2**SHARE_BITS - 1).astype(np.int32)
    return ((kept << SLOT_BITS) | others.astype(np.int32)).ravel()


def alias(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alias tables of many distributions at once, by Walker's method in one sweep over light and heavy slots.

    Args:
        weights: float64 (rows, slots), not negative; a row need not sum to 1.

    Returns:
        (rows, slots) shares in [0, 1]: how much of slot i belongs to outcome i; and the outcome of the rest.
    """
    rows, slots = weights.shape
    filling = weights / weights.sum(1, keepdims=True) * slots
    light = filling <= 1
    lights, heavies = np.argsort(~light, axis=1, kind="stable"), np.argsort(light, axis=1, kind="stable")
    last_light, last_heavy = light.sum(1), slots - light.sum(1) - 1
    shares, others = np.ones_like(filling), np.tile(np.arange(slots), (rows, 1))
    row, i, j = np.arange(rows), np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    rest = filling[row, heavies[:, 0]]
    for _ in range(slots):
        filled = (rest > 1) & (i < last_light)  # a heavy slot fills up a light one
        emptied = (rest <= 1) & (j < last_heavy)  # it has become light itself; the next heavy one fills it up
        r, small, heavy = row[filled], lights[row[filled], i[filled]], heavies[row[filled], j[filled]]
        shares[r, small], others[r, small] = filling[r, small], heavy
        rest[filled] -= 1 - filling[r, small]
        r, old, new = row[emptied], heavies[row[emptied], j[emptied]], heavies[row[emptied], j[emptied] + 1]
        shares[r, old], others[r, old] = rest[emptied], new
        rest[emptied] += filling[r, new] - 1
        i += filled
        j += emptied
    return shares, others


@cache
def _table_on(device: torch.device) -> Tensor:
    return torch.from_numpy(poisson_table()).to(device)
