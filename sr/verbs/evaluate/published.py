"""What others published of the same network, scale, set and protocol."""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Published(NamedTuple):
    """Numbers by metric, as they were printed, and where."""

    values: dict[str, str]
    source: str


@cache
def published_values() -> dict[tuple[str, int, int, str], Published]:
    """By the network's class and number of parameters, which tell its variants apart, scale and set."""
    with files("sr.verbs.evaluate").joinpath("published.csv").open(encoding="utf-8") as file:
        return {
            (row.pop("network"), int(row.pop("parameters")), int(row.pop("scale")), row.pop("set")): Published(
                source=row.pop("source"), values={name: value for name, value in row.items() if value}
            )
            for row in csv.DictReader(file)
        }
