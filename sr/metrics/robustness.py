"""How a measure changes as the noise of the input grows."""

import math
from collections.abc import Mapping


def robustness(values: Mapping[float, float]) -> float:
    """Change of a measure per doubling of the input's noise: the slope of a line through it over log2 of the noise.

    Args:
        values: of any measure (PSNR, `sr.metrics.noise.flat_noise`), by how many times the noise is in the input; at
            least two.

    Returns:
        In the measure's unit per doubling; 0 where noise changes nothing. PSNR falls, so nearer to 0 is more robust.

    Raises:
        ValueError: less than two strengths, or one that is not positive.
    """
    if len(values) < 2 or min(values, default=0) <= 0:
        raise ValueError(f"robustness needs a measure at two or more strengths of noise above 0, not at {list(values)}")
    doublings = {math.log2(strength): value for strength, value in values.items()}
    middle, mean = (math.fsum(numbers) / len(doublings) for numbers in (doublings.keys(), doublings.values()))
    spread = math.fsum((x - middle) ** 2 for x in doublings)
    return math.fsum((x - middle) * (y - mean) for x, y in doublings.items()) / spread
