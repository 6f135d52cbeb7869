"""`sr prepare frames`: which frames, by time; colours, rotation, damage; running it twice."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from sr.data.preparation.frames import Changed, Span, read_frames, video_facts
from sr.data.preparation.noise_patches import denoised
from sr.errors import UserError
from sr.image.io import read_picture
from sr.verbs.prepare.cli import app
from sr.verbs.prepare.frames import Slicing, parse_start, prepare_frames
from tests.conftest import smooth_picture

WIDTH, HEIGHT = 64, 48


def write_video(path, frames, codec="libx264", pixel_format="yuv420p", times=None, matrix=1, full=False, turn=0):
    """Frames: (height, width, 3) RGB, or planes as PyAV takes them for the pixel format; times in milliseconds."""
    height, width = (frames[0].shape[0], frames[0].shape[1]) if frames[0].shape[-1] == 3 else (HEIGHT, WIDTH)
    options = {"crf": "1", "preset": "ultrafast", "g": "5"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full else 1
        if turn:
            stream.set_display_rotation(turn)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24" if pixels.shape[-1] == 3 else pixel_format)
            frame.colorspace, frame.color_range = matrix, 2 if full else 1
            frame.pts, frame.time_base = (number * 40 if times is None else times[number]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def levels(count, step=8):
    """Plain gray frames that tell their number."""
    return [np.full((HEIGHT, WIDTH, 3), 10 + step * k, np.uint8) for k in range(count)]


def numbers(frames, step=8):
    return [round((float(frame.pixels.mean()) - 10) / step) for frame in frames]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """25 frames, one each 40 ms, a key frame each 200 ms."""
    return write_video(tmp_path_factory.mktemp("videos") / "even.mkv", levels(25))


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(0, 0, 0), list(range(25))),
        (Span(0, 0, 0.001), list(range(25))),
        (Span(0, 0, 0.04), list(range(25))),
        (Span(0, 0, 0.2), [0, 5, 10, 15, 20]),
        (Span(0.1, 0, 0.3), [3, 10, 18]),  # at 0.12, 0.40, 0.72; wanted 0.1, 0.4, 0.7
        (Span(0.2, 0.2, 0.08), [5, 7, 9]),
        (Span(0.96, 0, 1), [24]),
        (Span(2, 0, 1), []),
    ],
)
def test_first_frame_at_or_after_each_time(video, span, expected):
    assert numbers(read_frames(video, span)) == expected


@pytest.mark.parametrize("step", [0.12, 0.36, 0.5])
def test_seeking_gives_the_same_frames(video, step):
    plain = list(read_frames(video, Span(0.1, 0, step)))
    sought = list(read_frames(video, Span(0.1, 0, step), seek_above=0.05))
    assert [f.seconds for f in plain] == [f.seconds for f in sought]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(plain, sought, strict=True))


def test_variable_frame_rate_goes_by_timestamps(tmp_path):
    times = [0, 40, 80, 500, 520, 900, 2000, 2040, 2500]
    path = write_video(tmp_path / "uneven.mkv", levels(9), times=times)
    assert numbers(read_frames(path, Span(0, 0, 0.5))) == [0, 3, 6, 8]
    assert [f.seconds for f in read_frames(path, Span(0, 0, 0.5))] == pytest.approx([0, 0.5, 2.0, 2.5], abs=1e-3)


def test_count_of_a_span(video):
    facts = video_facts(video)
    assert facts.seconds == pytest.approx(1.0, abs=0.05)
    assert (facts.width, facts.height, facts.pixel_aspect) == (WIDTH, HEIGHT, 1.0)
    assert Span(0, 0, 0.2).count(facts) == 5
    assert Span(0, 0, 0).count(facts) == 25
    assert Span(0.5, 0.2, 0.1).count(facts) == 2
    assert Span(9, 0, 1).count(facts) == 0


# Kr and Kb of ITU-R BT.601-7 (section 2.5.1) and BT.709-6 (item 3.2).
WEIGHTS = {5: (0.299, 0.114), 6: (0.299, 0.114), 1: (0.2126, 0.0722)}


def expected_rgb(y, cb, cr, matrix, full, bits):
    """The definition: Y'CbCr of so many bits to R'G'B' 0..255."""
    kr, kb = WEIGHTS[matrix]
    unit = 2 ** (bits - 8)
    luma = y / (255 * unit) if full else (y - 16 * unit) / (219 * unit)
    blue, red = ((c - 128 * unit) / ((255 if full else 224) * unit) for c in (cb, cr))
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.array([r, g, b]) * 255, 0, 255)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6])
@pytest.mark.parametrize(("bits", "pixel_format"), [(8, "yuv444p"), (8, "yuv420p"), (10, "yuv420p10le")])
def test_colours_follow_matrix_range_and_depth(tmp_path, matrix, full, bits, pixel_format):
    y, cb, cr = (value * 2 ** (bits - 8) for value in (120, 100, 160))
    dtype = np.uint8 if bits == 8 else np.uint16
    if pixel_format == "yuv444p":
        planes = np.stack([np.full((HEIGHT, WIDTH), v, dtype) for v in (y, cb, cr)])
    else:
        quarter = HEIGHT * WIDTH // 4
        flat = [np.full(n, v, dtype) for n, v in ((4 * quarter, y), (quarter, cb), (quarter, cr))]
        planes = np.concatenate(flat).reshape(-1, WIDTH)
    path = write_video(tmp_path / "c.mkv", [planes], "ffv1", pixel_format, matrix=matrix, full=full)
    (frame,) = read_frames(path, Span())
    assert frame.pixels.shape == (HEIGHT, WIDTH, 3)
    assert frame.pixels.dtype == np.uint8
    expected = expected_rgb(y, cb, cr, matrix, full, bits)
    assert np.abs(frame.pixels.reshape(-1, 3) - expected).max() <= 1.0


@pytest.mark.parametrize(("height", "width", "matrix"), [(48, 64, 5), (16, 1280, 1), (720, 16, 1)])
def test_unnamed_matrix_goes_by_size(tmp_path, height, width, matrix):
    planes = np.stack([np.full((height, width), v, np.uint8) for v in (120, 100, 160)])
    path = tmp_path / "u.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv444p")))
        container.mux(stream.encode())
    (frame,) = read_frames(path, Span())
    assert np.abs(frame.pixels.reshape(-1, 3) - expected_rgb(120, 100, 160, matrix, False, 8)).max() <= 1.0


@pytest.mark.parametrize(("turn", "quarters"), [(90, 1), (180, 2), (270, 3), (-90, 3)])
def test_rotation_of_a_phone_is_applied(tmp_path, turn, quarters):
    picture = smooth_picture(HEIGHT, WIDTH, 3)
    plain = write_video(tmp_path / "plain.mp4", [picture])
    turned = write_video(tmp_path / "turned.mp4", [picture], turn=turn)
    (upright,), (out,) = read_frames(plain, Span()), read_frames(turned, Span())
    assert out.pixels.shape == ((WIDTH, HEIGHT, 3) if quarters % 2 else (HEIGHT, WIDTH, 3))
    assert np.array_equal(out.pixels, np.rot90(upright.pixels, quarters))
    reader = cv2.VideoCapture(str(tmp_path / "turned.mp4"))  # turns by default, as players do
    found, bgr = reader.read()
    reader.release()
    assert found
    assert bgr.shape == out.pixels.shape
    same, over_head = (np.abs(bgr[..., ::-1].astype(float) - np.rot90(out.pixels, k)).mean() for k in (0, 2))
    assert same < over_head / 3  # not 0: OpenCV takes chroma from the nearest sample


def test_truncated_video_keeps_what_was_read(tmp_path, video, capsys):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8) for _ in range(75)]
    whole = write_video(tmp_path / "whole.mkv", noise)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UserError, match=r"cut\.mkv' is cut off or damaged after 1\.\d seconds .*are kept"):
        prepare_frames([cut, video], tmp_path / "out", Slicing(step=0))
    kept = sorted((tmp_path / "out" / "cut").iterdir())
    assert 25 < len(kept) < 50
    originals = list(read_frames(whole, Span(0, 0, 0)))
    assert np.array_equal(read_picture(kept[20]).pixels, originals[20].pixels)
    assert len(list((tmp_path / "out" / "even").iterdir())) == 25  # the next video is done all the same
    with pytest.raises(UserError, match="cut off or damaged"):  # said again, without doing it again
        prepare_frames([cut, video], tmp_path / "out", Slicing(step=0))
    assert f"cut: {len(kept)} frames done already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), (b"", "damaged, incomplete or no video"), (b"x" * 5000, "Invalid data")],
)
def test_no_video_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "bad.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        prepare_frames([path], tmp_path / "out", Slicing())
    with pytest.raises(UserError, match="it is a folder; name a video in it"):
        video_facts(tmp_path)


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UserError, match="no video stream in it can be decoded; name a video"):
        video_facts(path)


def test_second_run_writes_nothing_and_other_settings_are_refused(tmp_path, video, capsys):
    out = tmp_path / "out"
    prepare_frames([video], out, Slicing(step=0.2))
    first = {path: path.stat().st_mtime_ns for path in (out / "even").iterdir()}
    assert sorted(path.name for path in first) == [f"{k:05d}.png" for k in range(1, 6)]
    prepare_frames([video], out, Slicing(step=0.2))
    assert {path: path.stat().st_mtime_ns for path in (out / "even").iterdir()} == first
    assert "even: 5 frames done already" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"was filled with step 0\.2 \(now 0\.5\)"):
        prepare_frames([video], out, Slicing(step=0.5))
    other = write_video(tmp_path / "even.mp4", levels(3))
    with pytest.raises(UserError, match="holds the frames of another video"):
        prepare_frames([other], out, Slicing(step=0.2))
    with pytest.raises(UserError, match="two videos are called 'even'"):
        prepare_frames([video, other], tmp_path / "both", Slicing())
    prepare_frames([video, other], tmp_path / "both", Slicing(), numbered=True)
    assert sorted(path.name for path in (tmp_path / "both").iterdir() if path.is_dir()) == ["ep01", "ep02"]


def test_interrupted_run_goes_on(tmp_path, video):
    out = tmp_path / "out"
    prepare_frames([video], out, Slicing(step=0.2))
    expected = {path.name: path.read_bytes() for path in (out / "even").iterdir()}
    lines = (out / "prepared.jsonl").read_text().splitlines(keepends=True)
    (out / "prepared.jsonl").write_text(lines[0] + '{"name": "ev')  # as if killed while writing the line
    (out / "even" / "00004.png").unlink()
    (out / "even" / "00005.png").unlink()
    kept = (out / "even" / "00001.png").stat().st_mtime_ns
    prepare_frames([video], out, Slicing(step=0.2))
    assert {path.name: path.read_bytes() for path in (out / "even").iterdir()} == expected
    assert (out / "even" / "00001.png").stat().st_mtime_ns == kept


def test_random_start_depends_on_seed_and_name_only(video):
    facts = video_facts(video)
    starts = {Slicing(0.8, True, seed=seed).span("a", facts).start for seed in range(50)}
    assert len(starts) == 50
    assert 0 <= min(starts) < 0.1
    assert 0.7 < max(starts) <= 0.8
    assert Slicing(0.8, True).span("a", facts) == Slicing(0.8, True).span("a", facts)
    assert Slicing(0.8, True).span("a", facts) != Slicing(0.8, True).span("b", facts)
    beyond = [Slicing(500, True, seed=seed).span("a", facts).start for seed in range(20)]
    assert max(beyond) <= facts.seconds  # no start behind the end
    assert Slicing(3).span("a", facts).start == 3


def test_still_frames_are_left_out(tmp_path, capsys):
    still = [frame for frame in levels(5, 20) for _ in range(4)]
    path = write_video(tmp_path / "still.mkv", still)
    prepare_frames([path], tmp_path / "out", Slicing(step=0, change=2.0))
    assert len(list((tmp_path / "out" / "still").iterdir())) == 5
    assert "15 frames left out" in capsys.readouterr().out
    passes = Changed(3.0)
    grays = [np.full((72, 128, 3), v, np.uint8) for v in (10, 12, 14, 15, 16, 18)]
    assert [passes.admit(gray) for gray in grays] == [True, False, True, False, False, True]


def test_denoise_is_the_log_s_non_local_means(tmp_path, video):
    rng = np.random.default_rng(1)
    noisy = np.clip(smooth_picture(40, 60, 1) + rng.normal(0, 2, (40, 60, 3)), 0, 255).astype(np.uint8)
    bgr = cv2.cvtColor(noisy, cv2.COLOR_RGB2BGR)
    expected = cv2.cvtColor(cv2.fastNlMeansDenoisingColored(bgr, None, 1, 1, 5, 15), cv2.COLOR_BGR2RGB)
    assert np.array_equal(denoised(noisy, 1, 5), expected)
    path = write_video(tmp_path / "noisy.mkv", [noisy], "ffv1", "yuv444p")
    prepare_frames([path], tmp_path / "out", Slicing(denoise=True))
    (frame,) = read_frames(path, Span())
    assert np.array_equal(read_picture(tmp_path / "out" / "noisy" / "00001.png").pixels, denoised(frame.pixels, 1, 5))


def test_settings_out_of_range_are_named(tmp_path, video):
    for text in ("x", "r", "-3", "rr4", "nan", ""):
        with pytest.raises(UserError, match="give 90 or r90"):
            parse_start(text)
    assert parse_start("r90") == (90.0, True)
    assert parse_start("1.5") == (1.5, False)
    with pytest.raises(UserError, match="step is seconds, 0 or more, got -1"):
        prepare_frames([video], tmp_path / "o", Slicing(step=-1))
    with pytest.raises(UserError, match="got 300; give 255"):
        prepare_frames([video], tmp_path / "o", Slicing(change=300))
    with pytest.raises(UserError, match=r"no frame of .* it starts at 7 seconds and the video lasts 1\.0"):
        prepare_frames([video], tmp_path / "o", Slicing(start=7))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds other files \(letter\.txt, …\); choose an empty"):
        prepare_frames([video], tmp_path / "full", Slicing())


def test_the_verb(tmp_path, video):
    result = CliRunner().invoke(
        app, ["frames", str(video), "-o", str(tmp_path / "o"), "--step", "0.01", "--length", "0.2", "--start", "r0.5"]
    )
    assert result.exit_code == 0, result.output
    assert "a step of 0.01 seconds is below the distance of its frames (0.040); every frame is taken" in result.output
    assert "even: starts at 0." in result.output
    assert "5 frames of 1 video: " in result.output
    result = CliRunner().invoke(app, ["photos", str(tmp_path / "o" / "even"), "-o", str(tmp_path / "o")])
    assert isinstance(result.exception, UserError)
    assert "was filled by `sr prepare frames`" in str(result.exception)
    assert "--numbered" in CliRunner().invoke(app, ["frames", "--help"], env={"COLUMNS": "200"}).output


def test_a_text_file_is_no_video(tmp_path):
    path = tmp_path / "SOURCE.txt"
    path.write_text("some words\n" * 2000)
    with pytest.raises(UserError, match=r"SOURCE\.txt': it is a text file; name a video"):
        video_facts(path)
