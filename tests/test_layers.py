"""Imports point one way, and the frameworks stay in their rooms."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LEVELS = [
    {"errors"},
    {"choices", "types", "draws", "files"},
    {"image"},
    {"models", "discriminators", "losses", "metrics", "degradations"},
    {"augmentations"},
    {"data"},
    {"training"},
    {"experiments"},
    {"app"},
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
ALLOWED = {
    "hydra": {"app"},
    "omegaconf": {"app"},
    "lightning": {"data", "training", "app"},
    "typer": {"app"},
}
FILES = sorted(path for path in (REPOSITORY / "sr").rglob("*.py") if path != REPOSITORY / "sr" / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(REPOSITORY / "sr").parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where the arrow points"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_point_down(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "sr" and parts[1] in LEVEL:
            target, own = parts[1], room(path)
            assert LEVEL[target] <= LEVEL[own], f"{path} ({own}) imports {name}"
            assert target == own or LEVEL[target] < LEVEL[own], f"{path}: rooms of one level do not know each other"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_frameworks_stay_in_their_rooms(path):
    for name in imports(path):
        rooms = ALLOWED.get(name.split(".")[0])
        assert rooms is None or room(path) in rooms, f"{path} imports {name}"


def test_every_room_has_a_level():
    assert {room(path) for path in FILES} <= set(LEVEL)


def test_config_groups_are_named_after_rooms():
    groups = {path.name for path in (REPOSITORY / "conf").iterdir() if path.is_dir()}
    named = {"model": "models", "loss": "losses", "data": "data", "degradation": "degradations"}
    for group, name in named.items():
        assert group in groups
        assert (REPOSITORY / "sr" / name).is_dir()
