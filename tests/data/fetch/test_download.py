"""Downloads: resumed, checked, done once, unpacked whole or not at all, and every failure a sentence that helps."""

import hashlib
import io
import shutil
import stat
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sr.data.fetch.download import Remote, fetch_archive, fetch_file
from sr.data.fetch.unpack import unpack
from sr.errors import UserError
from tests.served import Site, served

DATA = np.random.default_rng(0).bytes(100_000)
MD5, SHA = hashlib.md5(DATA).hexdigest(), hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr("sr.data.fetch.download.sleep", lambda seconds: None)
    monkeypatch.setattr("sr.data.fetch.download.CHUNK", 1 << 14)
    with served(Site({"/f.bin": DATA})) as running:
        yield running


def silent(*_):
    pass


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_a_file_arrives_whole_with_progress(site, tmp_path):
    steps = []
    path = fetch_file(
        Remote(f"{site.url}/f.bin", len(DATA), (SHA,)), tmp_path / "new", lambda *s: steps.append(s), silent
    )
    assert path == tmp_path / "new" / "f.bin"
    assert path.read_bytes() == DATA
    downloads = [step[1:] for step in steps if step[0] == "downloading f.bin"]
    assert downloads[-1] == (len(DATA), len(DATA))
    assert len(downloads) >= 6
    assert downloads == sorted(downloads)
    assert not (tmp_path / "new" / "f.bin.part").exists()


def test_broken_connections_go_on_where_they_stopped(site, tmp_path):
    site.cuts = [40_000, 0, 30_000, None]
    lines = []
    path = fetch_file(Remote(f"{site.url}/f.bin", None, (MD5,)), tmp_path, silent, lines.append)
    assert path.read_bytes() == DATA
    assert [asked for _, asked in site.asked] == [None, "bytes=40000-", "bytes=40000-", "bytes=70000-"]
    assert "f.bin: the connection ended after 40000 of 100000 bytes; trying again in 1 s" in lines
    assert "f.bin: the connection ended after 40000 of 100000 bytes; trying again in 2 s" in lines


def test_a_killed_download_goes_on_in_the_next_process(site, tmp_path):
    (tmp_path / "f.bin.part").write_bytes(DATA[:12_345])
    assert fetch_file(Remote(f"{site.url}/f.bin"), tmp_path, silent, silent).read_bytes() == DATA
    assert site.asked == [("/f.bin", "bytes=12345-")]


@pytest.mark.parametrize("size", [None, len(DATA)])
def test_a_download_that_was_killed_before_its_rename(site, tmp_path, size):
    (tmp_path / "f.bin.part").write_bytes(DATA)
    assert fetch_file(Remote(f"{site.url}/f.bin", size), tmp_path, silent, silent).read_bytes() == DATA


def test_a_longer_part_is_of_another_version_and_is_thrown_away(site, tmp_path):
    (tmp_path / "f.bin.part").write_bytes(DATA + b"more")
    assert fetch_file(Remote(f"{site.url}/f.bin"), tmp_path, silent, silent).read_bytes() == DATA


def test_a_server_without_range_starts_again_and_says_so(site, tmp_path):
    site.ranges, site.cuts = False, [40_000]
    lines = []
    assert fetch_file(Remote(f"{site.url}/f.bin"), tmp_path, silent, lines.append).read_bytes() == DATA
    assert "the server cannot go on with f.bin in the middle; starting again" in lines


def test_a_busy_server_is_asked_again(site, tmp_path):
    site.statuses = [503, None]
    lines = []
    assert fetch_file(Remote(f"{site.url}/f.bin"), tmp_path, silent, lines.append).read_bytes() == DATA
    assert "f.bin: the server says 503 Service Unavailable; trying again in 1 s" in lines


def test_a_wrong_checksum_is_downloaded_once_more_then_refused(site, tmp_path):
    wrong = "0" * 64
    with pytest.raises(UserError) as error:
        fetch_file(Remote(f"{site.url}/f.bin", None, (wrong,)), tmp_path, silent, silent)
    assert f"does not give the expected file (checksum {SHA} instead of {wrong})" in str(error.value)
    assert f"put it into {tmp_path}" in str(error.value)
    assert len(site.asked) == 2
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


def test_a_damaged_part_is_mended(site, tmp_path):
    (tmp_path / "f.bin.part").write_bytes(b"\0" * 50_000)
    assert fetch_file(Remote(f"{site.url}/f.bin", None, (SHA,)), tmp_path, silent, silent).read_bytes() == DATA
    assert [asked for _, asked in site.asked] == ["bytes=50000-", None]


def test_any_of_several_checksums_will_do(site, tmp_path):
    assert fetch_file(Remote(f"{site.url}/f.bin", None, ("0" * 64, MD5)), tmp_path, silent, silent).is_file()


def test_a_file_put_there_by_hand_is_checked_and_used(site, tmp_path):
    (tmp_path / "f.bin").write_bytes(DATA)
    fetch_file(Remote(f"{site.url}/f.bin", len(DATA), (SHA,)), tmp_path, silent, silent)
    assert site.asked == []
    (tmp_path / "f.bin").write_bytes(DATA[:-1])
    with pytest.raises(
        UserError, match=r"f\.bin is not the expected file \(99999 bytes instead of 100000\); delete it"
    ):
        fetch_file(Remote(f"{site.url}/f.bin", len(DATA), (SHA,)), tmp_path, silent, silent)
    assert (tmp_path / "f.bin").exists(), "what a user put there is not ours to delete"


def test_a_missing_file_is_one_sentence(site, tmp_path):
    with pytest.raises(UserError) as error:
        fetch_file(Remote(f"{site.url}/g.bin", 4_000_000_000), tmp_path, silent, silent)
    assert str(error.value) == (
        f"could not download {site.url}/g.bin (the server says 404 Not Found); start again with a connection, or "
        f"download g.bin (4.00 GB) on another machine and put it into {tmp_path}"
    )
    assert len(site.asked) == 1


def test_no_network_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr("sr.data.fetch.download.sleep", lambda seconds: None)
    with pytest.raises(UserError, match=r"could not download http://127\.0\.0\.1:9/f\.bin \(no connection: .*refused"):
        fetch_file(Remote("http://127.0.0.1:9/f.bin"), tmp_path, silent, silent)


def test_after_too_many_failures_the_part_is_kept(site, tmp_path):
    site.cuts = [30_000, *[0] * 10]
    with pytest.raises(UserError, match="30000 bytes are kept, and the next start goes on from there"):
        fetch_file(Remote(f"{site.url}/f.bin"), tmp_path, silent, silent)
    assert len(site.asked) == 5
    assert (tmp_path / "f.bin.part").stat().st_size == 30_000


def test_a_full_disk_is_told_before_the_download(site, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=50_000))
    with pytest.raises(UserError, match=r"0\.00 GB free, and to download f\.bin takes 0\.00 GB; free some space, or"):
        fetch_file(Remote(f"{site.url}/f.bin"), tmp_path, silent, silent)
    with pytest.raises(UserError, match=r"to download and unpack f\.bin"):
        fetch_archive(Remote(f"{site.url}/f.bin", 30_000), tmp_path, lambda: False, silent, silent)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/a.zip", "http://host/", "a.zip"])
def test_odd_addresses_are_refused(tmp_path, url):
    with pytest.raises(UserError, match="the address must be"):
        fetch_file(Remote(url), tmp_path, silent, silent)


FILES = {"Set/0001.png": b"one" * 1000, "Set/below/0002.png": b"two", "readme.txt": b"hello"}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_archives_are_unpacked(site, tmp_path, name):
    data = zipped(FILES) if name == "a.zip" else tarred(FILES, "w" if name == "a.tar" else "w:gz")
    site.files[f"/{name}"] = data
    steps, lines = [], []
    fetch_archive(Remote(f"{site.url}/{name}"), tmp_path, lambda: False, lambda *s: steps.append(s), lines.append)
    for path, expected in FILES.items():
        assert (tmp_path / path).read_bytes() == expected
    assert not (tmp_path / f"{name}.unpacking").exists()
    assert steps[-1][0] == f"unpacking {name}"
    assert steps[-1][1] == sum(map(len, FILES.values()))
    assert lines[-1] == f"{tmp_path / name} is unpacked; it may be deleted"


def test_two_archives_share_a_folder(tmp_path):
    for name, files in {"x2.zip": {"LR/X2/1.png": b"2"}, "x3.zip": {"LR/X3/1.png": b"3"}}.items():
        (tmp_path / name).write_bytes(zipped(files))
        unpack(tmp_path / name, tmp_path, silent)
    assert (tmp_path / "LR/X2/1.png").read_bytes() == b"2"
    assert (tmp_path / "LR/X3/1.png").read_bytes() == b"3"


def test_an_interrupted_unpacking_leaves_nothing_in_place_and_goes_on(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped(FILES))
    written = []

    def interrupt(what, done, total):
        written.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(tmp_path / "a.zip", tmp_path, interrupt)
    assert not (tmp_path / "Set").exists()
    kept = tmp_path / "a.zip.unpacking" / "Set" / "0001.png"
    before = kept.stat().st_mtime_ns
    unpack(tmp_path / "a.zip", tmp_path, silent)
    assert (tmp_path / "Set" / "0001.png").stat().st_mtime_ns == before, "complete files are kept"
    assert (tmp_path / "Set/below/0002.png").read_bytes() == b"two"


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_an_interrupted_unpacking_goes_on_where_the_rest_just_fits(site, tmp_path, monkeypatch, name):
    """What an earlier start has written takes no more room."""
    files = {"1.png": b"1" * 9000, "2.png": b"2" * 9000}
    site.files[f"/{name}"] = zipped(files) if name == "a.zip" else tarred(files, "w")
    kept = tmp_path / f"{name}.unpacking" / "1.png"
    kept.parent.mkdir()
    kept.write_bytes(files["1.png"])
    (tmp_path / name).write_bytes(site.files[f"/{name}"])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=12_000))
    fetch_archive(Remote(f"{site.url}/{name}"), tmp_path, lambda: False, silent, silent)
    assert (tmp_path / "2.png").read_bytes() == files["2.png"]
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=8_000))
    with pytest.raises(UserError, match="which is the room on the disk"):
        unpack(tmp_path / name, tmp_path / "other", silent)


@pytest.mark.parametrize("name", ["../out.png", "a/../../out.png", "/abs.png", "C:\\out.png", "..\\out.png"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_paths_that_lead_out_are_refused(tmp_path, pack, name):
    below = tmp_path / "below"
    below.mkdir()
    (below / "a").write_bytes(pack({"fine.png": b"x", name: b"evil"}))
    with pytest.raises(UserError, match="leads out of the folder; take the archive from another place"):
        unpack(below / "a", below, silent)
    assert not (below / "fine.png").exists()
    assert not (tmp_path / "out.png").exists()


def test_links_are_refused(tmp_path):
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    for name in ("a.zip", "a.tar"):
        with pytest.raises(UserError, match=r"'link\.png' in it is a link"):
            unpack(tmp_path / name, tmp_path, silent)


def test_a_damaged_archive_is_told(tmp_path):
    data = bytearray(zipped({"a.png": np.random.default_rng(0).bytes(5000)}))
    data[2000] ^= 255
    (tmp_path / "a.zip").write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"a\.zip is damaged \(Bad CRC-32 .*\); delete it and start again"):
        unpack(tmp_path / "a.zip", tmp_path, silent)
    (tmp_path / "b.tgz").write_bytes(tarred({"a.png": np.random.default_rng(0).bytes(50_000)})[:20_000])
    with pytest.raises(UserError, match=r"b\.tgz is damaged"):
        unpack(tmp_path / "b.tgz", tmp_path, silent)
    (tmp_path / "c.zip").write_bytes(b"<html>login</html>")
    with pytest.raises(UserError, match=r"c\.zip is damaged"):
        unpack(tmp_path / "c.zip", tmp_path, silent)
    assert not (tmp_path / "a.png").exists()


def test_two_at_once_fetch_and_unpack_once(site, tmp_path):
    site.files["/a.zip"] = zipped(FILES)
    remote, lines = Remote(f"{site.url}/a.zip"), []

    def fetch(_):
        fetch_archive(remote, tmp_path, (tmp_path / "Set").is_dir, silent, lines.append)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(fetch, range(3)))
    assert len(site.asked) == 1
    assert len([line for line in lines if line.endswith("is unpacked; it may be deleted")]) == 1
