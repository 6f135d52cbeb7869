"""How sharply a switch decides: hot, it averages its branches; cold, it takes one of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Annealing:
    """The temperature over a run, from hot to 1 and, where that is asked for, below.

    DL-Art-School (commits 5f2c722, 7659bd6, 0551139) lets it fall in a line and then means 1/temperature to grow in a
    line; its code jumped upwards there and divided by zero at its defaults, which is repaired here.

    Attributes:
        hot: temperature of the first update, at least 1.
        cool_until: update at which it is 1.
        coldest: what it falls to afterwards, above 0 and at most 1; 1 is where it stays.
        coldest_at: update at which it is there, after ``cool_until``; None where ``coldest`` is 1.

    Raises:
        ValueError: a number out of range.
    """

    hot: float = 20.0
    cool_until: int = 50_000
    coldest: float = 1.0
    coldest_at: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.hot < float("inf"):
            raise ValueError(f"temperature={self.hot} must be a number from 1 on; take 1 for no annealing.")
        if self.cool_until < 0:
            raise ValueError(f"cool_until={self.cool_until} must be at least 0 updates; take 0 for no annealing.")
        if not 0 < self.coldest <= 1:
            raise ValueError(f"coldest={self.coldest} must be above 0 and at most 1; take 1 to end at 1.")
        if self.coldest < 1 and (self.coldest_at is None or self.coldest_at <= self.cool_until):
            raise ValueError(
                f"coldest={self.coldest} is reached after cool_until={self.cool_until} updates, not at "
                f"coldest_at={self.coldest_at}; take coldest_at={self.cool_until + 1} or more."
            )

    def __call__(self, updates: int) -> float:
        """The temperature of an update.

        ``hot - (hot - 1) * n / F`` up to F = ``cool_until``; then 1 / (1 + (1/coldest - 1) * (n - F) / (H - F)) up to
        H = ``coldest_at``.

        Args:
            updates: before it, n.
        """
        if updates < self.cool_until:
            return self.hot - (self.hot - 1) * updates / self.cool_until
        if self.coldest_at is None:
            return 1.0
        share = min(1.0, (updates - self.cool_until) / (self.coldest_at - self.cool_until))
        return 1 / (1 + (1 / self.coldest - 1) * share)
