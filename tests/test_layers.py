"""Imports point one way, and the frameworks stay in their rooms."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LEVELS = [
    {"printable"},
    {"errors"},
    {"choices", "types", "draws", "files", "locks", "pasted", "console", "targets", "plain_yaml", "devices", "pickles"},
    {"image"},
    {"spectral", "switches", "vgg"},
    {"models", "discriminators", "losses", "metrics", "degradations"},
    {"augmentations"},
    {"data"},
    {"training", "inference"},
    {"experiments"},
    {"config"},
    {"verbs"},
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
ALLOWED = {
    "hydra": {"config", "verbs/train"},
    "omegaconf": {"config", "verbs/train"},
    "lightning": {"data", "training", "verbs"},
    "typer": {"verbs"},
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
        place = path.relative_to(REPOSITORY / "sr").parent
        inside = {str(place), *map(str, place.parents)}
        assert rooms is None or rooms & inside, f"{path} imports {name}"


def modules() -> dict[str, set[str]]:
    """Every file of the package and the files that it imports, wherever in the file it does."""
    names = {".".join(path.relative_to(REPOSITORY).with_suffix("").parts): path for path in FILES}
    return {
        name: {target for one in imports(path) for target in (one, one.rpartition(".")[0]) if target in names} - {name}
        for name, path in names.items()
    }


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Names along a circle of the graph; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        found = next((c for target in sorted(graph[name]) if (c := walk(target, [*way, name]))), [])
        done.add(name)
        return found

    return next((c for name in sorted(graph) if (c := walk(name, []))), [])


def test_no_file_imports_itself_by_way_of_others():
    assert not circle(modules()), " -> ".join(circle(modules()))
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_every_room_has_a_level():
    assert {room(path) for path in FILES} <= set(LEVEL)


def test_config_groups_are_named_after_rooms():
    groups = {path.name for path in (REPOSITORY / "conf").iterdir() if path.is_dir()}
    named = {"model": "models", "loss": "losses", "data": "data", "degradation": "degradations"}
    for group, name in named.items():
        assert group in groups
        assert (REPOSITORY / "sr" / name).is_dir()
