"""The memory of a store build does not depend on how many pictures there are."""

import subprocess
import sys
from time import sleep

import numpy as np
import psutil
import pytest
from PIL import Image

BUILD = """
import sys
from pathlib import Path
from sr.data.kinds.sources import Folder
from sr.data.store.building import open_store

class Heavy(Folder):
    heavy = True  # worker processes pay off from 16 pictures on


if __name__ == "__main__":
    source = Folder if sys.argv[3] == "0" else Heavy
    store = open_store(source(sys.argv[1]), Path(sys.argv[2]), lambda *_: None, workers=int(sys.argv[3]))
    print(store.nbytes)
"""


def peak_of_a_build(folder, cache, workers):
    """Largest sum of private memory over the process and its children, bytes; and the store's size."""
    script = cache.parent / "build.py"
    script.write_text(BUILD)
    command = [sys.executable, str(script), str(folder), str(cache), str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak, watched = 0, psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [watched, *watched.children(recursive=True)]
            peak = max(peak, sum(member.memory_full_info().uss for member in family))
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # one has just ended
            continue
        sleep(0.02)
    out, _ = process.communicate()
    assert process.returncode == 0
    return peak, int(out)


@pytest.mark.slow
def test_memory_of_a_build_is_bounded(tmp_path):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(
        np.kron(rng.integers(0, 256, (50, 75, 3), dtype=np.uint8), np.ones((40, 40, 1), np.uint8))
    )
    peaks = []
    for count in (16, 50):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        picture.save(folder / "0.jpg")
        for number in range(1, count):
            (folder / f"{number}.jpg").write_bytes((folder / "0.jpg").read_bytes())
        peak, size = peak_of_a_build(folder, tmp_path / f"cache{count}", 2)
        assert size == count * 2000 * 3000 * 3
        peaks.append(peak)
    print(f"{peaks[0] / 2**20:.0f} and {peaks[1] / 2**20:.0f} MiB")
    assert peaks[1] < 2 * 2**30
    assert peaks[1] - peaks[0] < 100 * 2**20, "34 more pictures of 17 MiB may not stay in memory"
