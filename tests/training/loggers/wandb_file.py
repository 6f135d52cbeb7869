"""Read the file in which W&B keeps an offline run: records in the log format of LevelDB, behind a header of 7 bytes."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

BLOCK = 32768
HEADER = 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(path: Path) -> Iterator[Any]:
    """Every record of a ``.wandb`` file, in order."""
    data = path.read_bytes()
    assert data[:4] == b":W&B"
    place, parts = HEADER, b""
    while place + HEADER <= len(data):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + HEADER])
        parts += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (FULL, LAST):
            yield wandb_internal_pb2.Record.FromString(parts)
            parts = b""


def of_kind(path: Path, kind: str) -> list[Any]:
    """The records of one kind: run, history, summary, metric, alert, artifact, exit, …"""
    return [getattr(record, kind) for record in records(path) if record.WhichOneof("record_type") == kind]


def items(entries: Any) -> dict[str, Any]:
    """Names and values of a record's items; a nested name has slashes of its own."""
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in entries}


def history(path: Path) -> dict[int, dict[str, Any]]:
    """What was logged, by W&B's step."""
    return {one.step.num: items(one.item) for one in of_kind(path, "history")}
