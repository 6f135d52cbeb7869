"""Random numbers that belong to a sample, not to a moment.

Every draw is a pure function of (seed, sample number, name). So the same sample meets the same crop, flip, kernel
and noise whatever the batch size, the number of loader processes or the device, and resuming a run needs no
generator state: the number of samples seen so far is enough.
"""

import hashlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(x: np.ndarray) -> np.ndarray:
    """Finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", fig. 17).

    Args:
        x: uint64 of any shape.

    Returns:
        uint64 of the same shape; every input bit flips about half of the output bits.
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def name_key(name: str) -> np.uint64:
    """64 bits that stand for the name of a draw, the same in every process (unlike ``hash``)."""
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


class Draws:
    """The random numbers of one batch.

    Args:
        seed: the run's seed, any integer.
        samples: (batch,) sample numbers since the start of the run.
    """

    def __init__(self, seed: int, samples: np.ndarray) -> None:
        self.seed = seed
        self.samples = np.asarray(samples).astype(np.uint64)
        with np.errstate(over="ignore"):
            start = mix(np.array([seed % 2**64], dtype=np.uint64))
            self._keys = mix(self.samples * _GOLDEN + start)

    def __len__(self) -> int:
        return len(self.samples)

    def uniform(self, name: str, count: int = 1) -> np.ndarray:
        """Uniform numbers in [0, 1).

        Args:
            name: what the numbers are for; two names give independent numbers.
            count: how many numbers each sample gets.

        Returns:
            float64 (batch, count), 53 random bits each.
        """
        with np.errstate(over="ignore"):
            steps = (np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)[None, :]
            bits = mix(mix(self._keys ^ name_key(name))[:, None] + steps)
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(self, name: str, bound: int) -> np.ndarray:
        """Integers in [0, bound), int64 (batch,)."""
        return (self.uniform(name)[:, 0] * bound).astype(np.int64)
