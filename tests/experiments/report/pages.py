"""Report folders made by hand, with pixels and numbers that are known by construction."""

import base64
import hashlib
import io
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import plotly
from PIL import Image

import sr.experiments.report

PAGE = Path(sr.experiments.report.__file__).parent / "page"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
QUOTED = "\"onload='window.hacked=1' </script> 100% & &lt;"
WIDTH, HEIGHT = 64, 48
BICUBIC, BLUE, HISTORY = (200, 30, 30), (20, 60, 200), [(0, 0, 0), (60, 60, 60), (90, 150, 90)]
PLANTED, GREEN = (24, 10, 32, 32), (20, 160, 200)
METRICS = [
    {"name": "psnr_y", "better": 1, "digits": 2, "unit": "dB"},
    {"name": "lpips", "better": -1, "digits": 3, "unit": ""},
]


@dataclass
class Folder:
    """What is written: the report, and pictures by hash."""

    report: dict[str, Any]
    pictures: dict[str, np.ndarray] = field(default_factory=dict)

    def keep(self, picture: np.ndarray) -> str:
        """The hash of a picture (height, width, 3), uint8."""
        name = hashlib.sha256(picture.tobytes() + str(picture.shape).encode()).hexdigest()[:16]
        self.pictures[name] = picture
        return name

    def write(self, folder: Path) -> Path:
        """Make the folder; gives its index.html."""
        shutil.copytree(PAGE, folder)
        shutil.copy(PLOTLY, folder)
        text = json.dumps(self.report).replace("<", "\\u003c")
        (folder / "data.js").write_text(f"window.REPORT = {text};\n", encoding="utf-8")
        (folder / "pictures").mkdir()
        for name, picture in self.pictures.items():
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
            data = base64.b64encode(buffer.getvalue()).decode()
            line = f'(window.PICTURES ??= {{}})["{name}"] = "data:image/png;base64,{data}";\n'
            (folder / "pictures" / f"{name}.js").write_text(line)
        return folder / "index.html"


def plain(colour: tuple[int, int, int], width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """One colour all over."""
    return np.full((height, width, 3), colour, np.uint8)


def pattern(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """No two neighbours alike."""
    y, x = np.mgrid[:height, :width]
    return np.stack([4 * x % 256, 5 * y % 256, (90 * x + 140 * y) % 256], axis=2).astype(np.uint8)


def planted() -> np.ndarray:
    """Blue, with a green window."""
    picture = plain(BLUE)
    x, y, width, height = PLANTED
    picture[y : y + height, x : x + width] = GREEN
    return picture


def run(index: int, name: str, group: int, **changed: Any) -> dict[str, Any]:
    """A run with everything; what is given replaces."""
    updates = list(range(100, 1100, 100))
    psnr = [28 + index + 0.2 * step for step in range(10)]
    return {
        "id": index,
        "name": name,
        "folder": f"outputs/sweep/{index}",
        "state": "finished",
        "sentence": "",
        "group": group,
        "seed": index % 2 + 1,
        "scale": 2,
        "updates": 1000,
        "seconds": 60.0 + index,
        "pictures_per_second": 500.0 - index,
        "parameters": 71196,
        "recoveries": 0,
        "on": 0,
        "settings": {"model": "espcn", "optimizer.lr": "0.0001"},
        "config": f"model:\n  _target_: Espcn\n  layers:\n  - 3\n  - {index}\nseed: {index % 2 + 1}\nscale: 2\n",
        "command": f"uv run python train.py model=espcn seed={index % 2 + 1} note='a b'",
        "best": {"psnr_y": 31.0 + index, "lpips": 0.2 - 0.01 * index},
        "best_updates": 900,
        "final": {"psnr_y": 30.0 + index, "lpips": 0.25 - 0.01 * index},
        "bicubic": {"psnr_y": 29.0, "lpips": 0.4},
        "curves": {
            "updates": updates,
            "seconds": [0.06 * each for each in updates],
            "columns": {"val/psnr_y": psnr, "train/g/total": [None, *[1 / each for each in updates[1:]]]},
        },
        "events": [],
        **changed,
    }


def runs() -> list[dict[str, Any]]:
    """Two groups of two seeds, a failed run without anything, and one of another scale that exploded."""
    rdn = {"model": "rdn", "optimizer.lr": "0.0001"}
    nothing = dict.fromkeys(("seconds", "pictures_per_second", "parameters"))
    bundle = {
        "updates": 812,
        "what": "exploded: loss 3e9 <b>",
        "replay": "uv run sr replay outputs/sweep/5/bugs/812.bug",
    }
    return [
        run(0, "0_model-espcn_seed-1", 0),
        run(1, "1_model-espcn_seed-2", 0),
        run(2, "2_model-rdn_seed-1", 1, settings=rdn, parameters=900000),
        run(3, "3_model-rdn_seed-2", 1, settings=rdn, parameters=900000),
        run(
            4,
            EVIL,
            2,
            state="failed",
            sentence="optimizer.lr is 'fast': give a number <b>such as 1e-4</b>",
            settings={"model": EVIL, "optimizer.lr": "fast"},
            on=None,
            best={},
            final={},
            bicubic={},
            config="",
            command="",
            curves={"updates": [], "seconds": None, "columns": {}},
            **nothing,
        ),
        run(
            5,
            QUOTED,
            3,
            state="exploded",
            scale=4,
            on=1,
            recoveries=2,
            bicubic={"psnr_y": 25.0},
            settings={"model": "espcn", "optimizer.lr": "0.1"},
            events=[bundle],
        ),
    ]


def small_folder() -> Folder:
    """Six runs and four pictures; see the constants of this file."""
    comparison = {"a": 0, "b": 1, "metric": "psnr_y", "difference": 2.0, "low": 1.5, "high": 2.5}
    report = {
        "version": 1,
        "title": "sweep <i>one</i>",
        "made": "2026-11-30",
        "command": "uv run sr report outputs/sweep -o report",
        "metrics": METRICS,
        "runs": runs(),
        "groups": [
            {"name": "model=espcn", "runs": [0, 1]},
            {"name": "model=rdn", "runs": [2, 3]},
            {"name": EVIL, "runs": [4]},
            {"name": QUOTED, "runs": [5]},
        ],
        "comparisons": [{**comparison, "words": "larger than chance"}],
    }
    folder = Folder(report)
    blue, hr = folder.keep(plain(BLUE)), folder.keep(pattern())
    history = [[100 * (step + 1), folder.keep(plain(colour))] for step, colour in enumerate(HISTORY)]
    of_run = {"sr": blue, "updates": 1000, "metrics": {"psnr_y": 30.5, "lpips": 0.2}, "history": [], "film": None}
    first = {
        **picture(0, "first.png"),
        "lr": folder.keep(pattern(WIDTH // 2, HEIGHT // 2)),
        "bicubic": folder.keep(plain(BICUBIC)),
        "hr": hr,
        "runs": {
            "0": {**of_run, "history": history, "film": "films/0 first"},
            "1": of_run,
            "2": {**of_run, "sr": folder.keep(planted()), "metrics": {"psnr_y": 32.0, "lpips": 0.1}},
        },
    }
    even = {
        **picture(1, f"even {EVIL}.png"),
        "bicubic": folder.keep(plain((140, 140, 140))),
        "hr": folder.keep(plain((100, 100, 100))),
        "runs": {"0": {**of_run, "sr": folder.keep(plain((110, 110, 110)))}},
    }
    gone = {**picture(2, "gone.png"), "hr": hr, "bicubic": "0123456789abcdef", "runs": {"1": of_run}}
    other = {**picture(3, "other.png", on=1, scale=4), "hr": hr, "runs": {"5": of_run}, "bicubic_metrics": {}}
    report["pictures"] = [first, even, gone, other]
    return folder


def picture(index: int, name: str, on: int = 0, scale: int = 2) -> dict[str, Any]:
    """A picture that nobody has."""
    known = {"bicubic_metrics": {"psnr_y": 29.0}, "lr": None, "bicubic": None, "hr": None, "runs": {}}
    return {"id": index, "set": "", "name": name, "on": on, "scale": scale, "width": WIDTH, "height": HEIGHT, **known}


def bare_folder() -> Folder:
    """One run without numbers, curves or pictures."""
    only = run(
        0,
        "lonely",
        0,
        settings={},
        best={},
        final={},
        bicubic={},
        on=None,
        curves={"updates": [], "seconds": None, "columns": {}},
    )
    groups = [{"name": "lonely", "runs": [0]}]
    report = {"version": 1, "title": "", "made": "", "command": "", "metrics": [], "runs": [only], "groups": groups}
    return Folder({**report, "pictures": [], "comparisons": []})


def large_folder(count: int = 35, pictures: int = 14, size: int = 256, points: int = 600) -> Folder:
    """As many runs with noise as pictures, to see how long a page takes; not part of the tests.

    Args:
        count: of runs, in groups of up to three seeds.
        pictures: that each run has.
        size: of their sides.
        points: of each curve.
    """
    rng = np.random.default_rng(0)
    updates = [50 * (step + 1) for step in range(points)]
    columns = ["train/g/total", "train/g/l1", "train/g/vgg", "train/d/total", "train/lr", "val/psnr_y", "val/lpips"]
    losses = ("l1", "l1_vgg", "charbonnier", "l2")
    made, groups = [], []
    for index in range(count):
        loss, model = losses[index // 3 % 4], ("espcn", "rdn_small", "rdn")[index // 12]
        curve = {name: (np.exp(-np.arange(points) / 150) + 0.05 * rng.random(points)).tolist() for name in columns}
        curve["val/psnr_y"] = [
            30 + 2 * (1 - math_exp) if step % 10 == 9 else None for step, math_exp in enumerate(curve["val/psnr_y"])
        ]
        settings = {"model": model, "loss": loss, "optimizer.lr": "0.0001" if index % 2 else "0.0002"}
        config = "".join(
            f"part_{part}:\n" + "".join(f"  value_{each}: {each + part}\n" for each in range(12)) for part in range(20)
        )
        made.append(
            run(
                index,
                f"{index}_model-{model}_loss-{loss}_seed-{index % 3 + 1}",
                index // 3,
                settings=settings,
                config=config + f"seed: {index % 3 + 1}\n",
                seed=index % 3 + 1,
                final={"psnr_y": 30 + rng.random() * 2, "lpips": 0.2 + 0.1 * rng.random()},
                curves={"updates": updates, "seconds": [0.05 * each for each in updates], "columns": curve},
            )
        )
        if index % 3 == 0:
            groups.append({"name": f"model={model} loss={loss}", "runs": []})
        groups[-1]["runs"].append(index)
    folder = Folder({})
    shown = []
    for index in range(pictures):
        one = {**picture(index, f"picture_{index}.png"), "width": size, "height": size}
        noise = [rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(count + 2)]
        one |= {"hr": folder.keep(noise[0]), "bicubic": folder.keep(noise[1])}
        one["lr"] = folder.keep(noise[0][::2, ::2].copy())
        one["runs"] = {
            str(each): {
                "sr": folder.keep(noise[each + 2]),
                "updates": 1000,
                "metrics": {"psnr_y": 30.0 + rng.random(), "lpips": 0.2},
                "history": [],
                "film": None,
            }
            for each in range(count)
        }
        shown.append(one)
    folder.report = {
        "version": 1,
        "title": "a large sweep",
        "made": "2026-11-30",
        "command": "uv run sr report outputs/large -o report",
        "metrics": METRICS,
        "runs": made,
        "groups": groups,
        "pictures": shown,
        "comparisons": [
            {
                "a": a,
                "b": b,
                "metric": "psnr_y",
                "difference": 0.1,
                "low": -0.1,
                "high": 0.3,
                "words": "not larger than chance",
            }
            for a in range(len(groups))
            for b in range(a + 1, len(groups))
        ],
    }
    return folder
