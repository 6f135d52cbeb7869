"""Temporary files of killed processes go, those that somebody is writing stay."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from sr.errors import UserError
from sr.files import _temporary, sweep_up, write_atomically

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import sr.files
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
sr.files.write_atomically(Path(sys.argv[1]), b"new")
"""


def test_what_a_kill_leaves_is_swept_up(tmp_path):
    target = tmp_path / "below" / "last.ckpt"
    write_atomically(target, b"old")
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(target)])
    assert done.returncode == -9
    assert len(list(target.parent.iterdir())) == 2
    (tmp_path / ".mine.tmp").write_text("not one of ours")
    sweep_up(tmp_path)
    assert len(list(target.parent.iterdir())) == 2, "only where it is asked to"
    sweep_up(tmp_path, below=True)
    assert [path.name for path in target.parent.iterdir()] == ["last.ckpt"]
    assert target.read_bytes() == b"old"
    assert (tmp_path / ".mine.tmp").exists()
    sweep_up(tmp_path / "nowhere")


def test_what_is_being_written_stays(tmp_path):
    path, file = _temporary(tmp_path / "a")
    with file:
        sweep_up(tmp_path)
        assert path.exists()
    sweep_up(tmp_path)
    assert not path.exists()


def test_names_as_long_as_a_file_system_takes(tmp_path):
    for name in ("n" * 255, "ü" * 127):
        write_atomically(tmp_path / name, b"1")
        write_atomically(tmp_path / name, b"2")
        assert (tmp_path / name).read_bytes() == b"2"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_have_the_usual_permissions(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "a", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_name_that_is_too_long_is_one_sentence(tmp_path):
    name = "ü" * 128
    with pytest.raises(UserError, match=f"could not write .*{name}: File name too long$"):
        write_atomically(tmp_path / name, b"x")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="pipes and sockets that lie in folders")
@pytest.mark.parametrize("data", [b"text", lambda file: file.write(b"text")])
def test_a_pipe_is_written_to_and_stays_one(tmp_path, data):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, data)
    reader.join(timeout=60)
    assert read == [b"text"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.skipif(os.name != "posix", reason="pipes and sockets that lie in folders")
def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name has 107 bytes at most
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("here")
        with pytest.raises(UserError, match="could not write here: it is a disk or a socket, not a file"):
            write_atomically("here", b"text")
        assert (tmp_path / "here").is_socket()


INTO_STDOUT = """
from pathlib import Path
from sr.files import check_place, write_atomically

check_place(Path("/dev/stdout"))
write_atomically("/dev/stdout", b"text")
"""


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="a system without /dev/stdout")  # noqa: PTH110
def test_what_goes_into_another_program_is_no_file():
    """Its real name, ``/proc/1/fd/pipe:[2]``, cannot be opened."""
    done = subprocess.run([sys.executable, "-c", INTO_STDOUT], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("text", 0), done.stderr
