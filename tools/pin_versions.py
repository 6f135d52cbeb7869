"""Write the newest versions of all dependencies into pyproject.toml: `uv run python tools/pin_versions.py`.

`uv run` then installs exactly these everywhere. A lock file would do the same but also names the package index of
the machine that wrote it. The lower bounds of `[project] dependencies` stay what they are.
"""

import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
BLOCK = re.compile(r"constraint-dependencies = \[.*?^\]", re.DOTALL | re.MULTILINE)


def uv(*arguments: str) -> str:
    """Output of a uv command in the project's folder."""
    command = ["uv", *arguments]
    return subprocess.run(command, cwd=PROJECT.parent, check=True, capture_output=True, text=True).stdout


def with_pins(text: str, pins: list[str]) -> str:
    """The project file with this list of constraints.

    Raises:
        ValueError: the file has no ``constraint-dependencies`` to replace.
    """
    lines = "".join(f'    "{pin}",\n' for pin in pins)
    if not BLOCK.search(text):
        raise ValueError(f"{PROJECT} has no constraint-dependencies under [tool.uv]")
    return BLOCK.sub(lambda _: f"constraint-dependencies = [\n{lines}]", text)


def requirements(exported: str) -> list[str]:
    """``name==version ; marker`` lines of `uv export`, without comments."""
    lines = (line.strip() for line in exported.splitlines())
    return sorted(line.replace('"', "'") for line in lines if line and not line.startswith(("#", "-e", ".")))


def main() -> None:
    """Forget the pins, resolve anew, write the pins; the old file comes back if anything fails."""
    before = PROJECT.read_text()
    try:
        PROJECT.write_text(with_pins(before, []))
        uv("lock", "--upgrade")
        exported = uv("export", "--all-groups", "--no-hashes", "--no-emit-project", "--no-header", "--no-annotate")
        PROJECT.write_text(with_pins(before, requirements(exported)))
        uv("lock")
    except BaseException:
        PROJECT.write_text(before)
        raise
    print(f"{len(requirements(exported))} versions pinned in {PROJECT}")


if __name__ == "__main__":
    main()
