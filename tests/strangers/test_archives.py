"""Archives of strangers: nothing is written elsewhere, over other things, or without end."""

import gzip
import io
import lzma
import tarfile
import tracemalloc
import zipfile

import pytest

from sr.data.fetch import unpack as unpacking
from sr.data.fetch.unpack import unpack
from sr.errors import UserError

NAMES = [
    "/etc/x",
    "../x",
    "a/../../x",
    "a/..",
    "..\\x",
    "C:\\x",
    "C:x",
    "//host/x",
    "\\\\host\\x",
    "x" * 300,
    "é" * 200,
    "/".join("a" * 100),
    "a/" + "x" * 251 + "/b",
    "\x1b[2J/../x",
    "/".join(["x" * 200] * 25),
    "{archive}",
    "{archive}/x",
    "{archive}.unpacking/x",
]


def silent(*_):
    """Nobody looks."""


def zipped(path, names, content=b"x"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, content)
    return path


def tarred(path, entries, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for entry, content in entries:
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return path


def refused(archive, message, folder):
    with pytest.raises(UserError, match=message) as error:
        unpack(archive, folder, silent)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    assert there <= {archive.name, f"{archive.name}.unpacking"}


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_names(kind, name, tmp_path):
    archive = tmp_path / f"x.{kind}"
    name = name.format(archive=archive.name)
    if kind == "zip":
        zipped(archive, ["first", name])
    else:
        tarred(archive, [(tarfile.TarInfo("first"), b"x"), (tarfile.TarInfo(name), b"x")])
    refused(archive, "is not unpacked: '.*' in it (leads out|has a name too long|would replace)", tmp_path)


@pytest.mark.parametrize(
    "names", [["a", "a"], ["a", "./a"], ["a", "a.part"], ["a", "a/b"], ["a/b", "a"], ["a/b/c", "a/b"]]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_clash(names, tmp_path):
    refused(zipped(tmp_path / "x.zip", names), "is there twice|is a file and a folder", tmp_path / "out")


@pytest.mark.parametrize("kind", ["SYM", "LNK", "CHR", "BLK", "FIFO"])
def test_what_is_no_file(kind, tmp_path):
    entry = tarfile.TarInfo("x")
    entry.type, entry.linkname = getattr(tarfile, f"{kind}TYPE"), "/etc/passwd"
    refused(tarred(tmp_path / "x.tar", [(entry, b"")], "w"), "is a link or a device", tmp_path / "out")


@pytest.mark.parametrize("place", ["", "sub", "sub/a.png", "sub/a.png.part", "deep/er"])
def test_a_planted_link(place, tmp_path):
    archive = zipped(tmp_path / "x.zip", ["sub/a.png"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "out" / "x.zip.unpacking" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(UserError, match=r"is a link; delete x\.zip\.unpacking"):
        unpack(archive, tmp_path / "out", silent)
    assert not any(elsewhere.iterdir())


@pytest.mark.parametrize("kind", ["zip", "tar.xz", "tar.gz", "tar.bz2"])
def test_bombs(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED", 1 << 16)
    archive, content = tmp_path / f"x.{kind}", bytes(1 << 20)
    if kind == "zip":
        zipped(archive, ["x"], content)
    else:
        tarred(archive, [(tarfile.TarInfo("x"), content)], f"w:{kind.split('.')[1]}")
    refused(archive, "becomes larger than .* 100 times its own size", tmp_path / "out")


def test_no_more_than_the_disk_has_room_for(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: type("", (), {"free": 1000}))
    refused(zipped(tmp_path / "x.zip", ["a", "b"], b"x" * 600), "room on the disk", tmp_path / "out")


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_tables_in_a_tar_that_fill_the_memory(kind, tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 1 << 33
    archive = tmp_path / "x.tar.xz"
    with lzma.open(archive, "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(1 << 20))
    refused(archive, "is damaged", tmp_path / "out")


def test_a_name_with_a_nul(tmp_path):
    entry = tarfile.TarInfo("x")
    entry.pax_headers = {"path": "a\0b.png"}
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as file:
        file.addfile(entry, io.BytesIO(b""))
    refused(archive, "has a name that no disk takes", tmp_path / "out")


def test_folders_count_and_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "_MOST_FILES", 20_000)
    header = tarfile.TarInfo("x")
    header.type = tarfile.DIRTYPE
    archive = tmp_path / "x.tar.gz"
    with gzip.open(archive, "wb") as file:
        file.write(header.tobuf() * 30_000)
    tracemalloc.start()
    refused(archive, "'x' in it comes after 20000 names", tmp_path / "out")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2_000_000  # 20,000 entries take ten


def test_what_is_in_the_way_is_named(tmp_path):
    out = tmp_path / "out"
    (out / "a.png").mkdir(parents=True)
    (out / "sub").write_text("x")
    for member, message in (
        ("a.png", "a.png is a folder where it has a file"),
        ("sub/b", "sub is a file where it has"),
    ):
        archive = zipped(tmp_path / f"{member[0]}.zip", ["c.png", member])
        with pytest.raises(UserError, match=message):
            unpack(archive, out, silent)
    assert not (out / "c.png").exists()
    (out / "y.zip.unpacking").write_text("x")
    with pytest.raises(UserError, match=r"y\.zip\.unpacking is no folder; delete it"):
        unpack(zipped(tmp_path / "y.zip", ["a"]), out, silent)


def test_a_sparse_file_of_a_terabyte(tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 512
    buffer = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    buffer[386:398], buffer[398:410] = b"00000000000\x00", b"00000001000\x00"
    buffer[483:495] = b"\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"
    buffer[148:156] = b" " * 8
    buffer[148:156] = f"{sum(buffer[:512]):06o}\0 ".encode()
    (tmp_path / "x.tar").write_bytes(bytes(buffer) + bytes(2048))
    refused(tmp_path / "x.tar", "larger than|damaged", tmp_path / "out")


def test_a_size_that_lies(tmp_path):
    archive = zipped(tmp_path / "x.zip", ["x"], bytes(1000))
    data = archive.read_bytes().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(data)
    refused(archive, "is damaged", tmp_path / "out")
