"""Random numbers that belong to a sample, not to a moment.

Every draw is a pure function of (seed, sample number, name). So the same sample meets the same crop, flip, kernel
and noise whatever the batch size, the number of loader processes or the device, and resuming a run needs no
generator state: the number of samples seen so far is enough.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

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


@lru_cache(maxsize=4096)
def name_key(name: str) -> np.uint64:
    """64 bits that stand for the name of a draw, the same in every process (unlike ``hash``)."""
    data = name.encode(errors="surrogateescape")  # the name of a file need not be text
    return np.uint64(int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little"))


class Record:
    """What was drawn and applied, by name and sample: for contact sheets and histograms."""

    def __init__(self) -> None:
        self.values: dict[str, dict[int, float | str]] = {}

    def add(self, name: str, samples: np.ndarray, values: Sequence[float | str] | np.ndarray) -> None:
        """One value per sample."""
        column = self.values.setdefault(name, {})
        listed = values.tolist() if isinstance(values, np.ndarray) else values
        column.update(zip(samples.tolist(), listed, strict=True))

    def of(self, sample: int) -> dict[str, float | str]:
        """Everything that one sample met, in the order in which it was applied."""
        return {name: column[sample] for name, column in self.values.items() if sample in column}


def _keys(seed: int, samples: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return mix(samples * _GOLDEN + mix(np.array([seed % 2**64], dtype=np.uint64)))


class Draws:
    """The random numbers of one batch.

    Args:
        seed: the run's seed, any integer.
        samples: (batch,) sample numbers since the start of the run.
        record: collects what stages say that they applied, or None.
    """

    def __init__(self, seed: int, samples: np.ndarray, record: Record | None = None) -> None:
        self.seed = seed
        self.samples = np.asarray(samples).astype(np.uint64)
        self.record = record
        self.scope = ""
        self._keys = _keys(seed, self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def within(self, scope: str) -> "Draws":
        """The same samples with other numbers: every name gets ``scope/`` in front."""
        return self._copy(self.samples, self._keys, f"{self.scope}{scope}/")

    def at(self, positions: np.ndarray) -> "Draws":
        """The draws of some samples of the batch.

        Args:
            positions: indices into the batch, or a boolean mask.
        """
        return self._copy(self.samples[positions], self._keys[positions], self.scope)

    def of(self, samples: np.ndarray) -> "Draws":
        """The draws of other samples under the same names: of those that other processes have.

        Args:
            samples: (batch,) sample numbers.
        """
        numbers = np.asarray(samples).astype(np.uint64)
        return self._copy(numbers, _keys(self.seed, numbers), self.scope)

    def _copy(self, samples: np.ndarray, keys: np.ndarray, scope: str) -> "Draws":
        made = object.__new__(Draws)
        made.seed, made.samples, made.record, made.scope, made._keys = self.seed, samples, self.record, scope, keys
        return made

    def note(self, name: str, values: Sequence[float | str] | np.ndarray, where: np.ndarray | None = None) -> None:
        """Record what was applied, where anybody wants to know; costs nothing otherwise.

        Args:
            name: of the parameter.
            values: one per sample.
            where: (batch,) bool, the samples that it was applied to; None means all.
        """
        if self.record is None:
            return
        kept = range(len(self)) if where is None else np.flatnonzero(where).tolist()
        self.record.add(self.scope + name, self.samples[list(kept)], [_plain(values[i]) for i in kept])

    def bits(self, name: str) -> np.ndarray:
        """64 random bits per sample, uint64 (batch,): the key of a field of numbers that a device computes."""
        return mix(mix(self._keys ^ name_key(self.scope + name)) + _GOLDEN)

    def uniform(self, name: str, count: int = 1) -> np.ndarray:
        """Uniform numbers in [0, 1).

        Args:
            name: what the numbers are for; two names give independent numbers.
            count: how many numbers each sample gets.

        Returns:
            float64 (batch, count), 53 random bits each.
        """
        if count == 1:
            bits = self.bits(name)[:, None]
        else:
            with np.errstate(over="ignore"):
                steps = (np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)[None, :]
                bits = mix(mix(self._keys ^ name_key(self.scope + name))[:, None] + steps)
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(self, name: str, bound: int) -> np.ndarray:
        """Integers in [0, bound), int64 (batch,)."""
        return (self.uniform(name)[:, 0] * bound).astype(np.int64)

    def between(self, name: str, low: float, high: float) -> np.ndarray:
        """Uniform numbers in [low, high), float64 (batch,)."""
        return low + (high - low) * self.uniform(name)[:, 0]

    def chance(self, name: str, probability: float) -> np.ndarray:
        """True with this probability, bool (batch,)."""
        return self.uniform(name)[:, 0] < probability

    def choice(self, name: str, weights: Sequence[float]) -> np.ndarray:
        """Positions in ``weights``, each as often as its weight says; int64 (batch,).

        Args:
            name: what is chosen.
            weights: not negative; they need not sum to 1.
        """
        cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
        return np.searchsorted(cumulative, self.uniform(name)[:, 0] * cumulative[-1], side="right")


def _plain(value: float | str) -> float | str:
    return value if isinstance(value, str) else float(value)
