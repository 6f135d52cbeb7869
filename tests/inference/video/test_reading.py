"""Decoded frames as pictures: every kind of pixels gives the colours that were put in."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from sr.inference.video.job import upscale_video
from sr.inference.video.layout import rgb_of
from sr.inference.video.options import VideoOptions
from sr.inference.video.reading import Reader, video_facts
from tests.inference.video.clips import Twice

WIDTH, HEIGHT = 64, 48


def ramps() -> np.ndarray:
    """Each colour of its own, smooth, from black to white."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack((x * 4, y * 5, (x + y) * 2), -1).clip(0, 255).astype(np.uint8)


def written(path: Path, codec: str, frame: av.VideoFrame) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
        stream.bit_rate = 8_000_000
        stream.codec_context.color_range = frame.color_range
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def first_picture(path: Path) -> np.ndarray:
    """(height, width, 3), in levels of 255."""
    facts = video_facts(path)
    frame = next(Reader(path, facts).frames(None, None))
    return 255 * rgb_of([frame.planes], facts.layout, torch.device("cpu"))[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("pixel_format", "codec", "name", "off"), [
    ("rgb24", "rawvideo", "a.nut", 0.01),
    ("bgr0", "rawvideo", "a.nut", 0.01),
    ("rgb555le", "msvideo1", "a.avi", 30),  # a codec that loses
    ("rgb555le", "rawvideo", "a.nut", 9.1),
    ("rgb555be", "qtrle", "a.mov", 9.1),
    ("rgb565le", "rawvideo", "a.nut", 9.1),
    ("rgb444le", "rawvideo", "a.nut", 17.1),
    ("rgb8", "rawvideo", "a.nut", 86),  # three, three and two bits
    ("gbrp10le", "ffv1", "a.mkv", 0.8),
    ("rgb48le", "rawvideo", "a.nut", 1.1),
])  # fmt: skip
def test_rgb_is_what_was_put_in(tmp_path, pixel_format, codec, name, off):
    picture = ramps()
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
    difference = first_picture(written(tmp_path / name, codec, frame)) - picture
    assert np.abs(difference).max() < off
    assert np.abs(difference).mean() < off / 2


@pytest.mark.parametrize(("pixel_format", "white"), [("monob", 0xFF), ("monow", 0x00)])
def test_black_and_white(tmp_path, pixel_format, white):
    frame = av.VideoFrame(WIDTH, HEIGHT, pixel_format)
    plane = frame.planes[0]
    room = np.frombuffer(memoryview(plane), np.uint8).reshape(HEIGHT, plane.line_size)
    room[:, : WIDTH // 16], room[:, WIDTH // 16 :] = white, 0xFF - white
    source = written(tmp_path / "a.nut", "rawvideo", frame)
    expected = np.zeros((HEIGHT, WIDTH, 3))
    expected[:, : WIDTH // 2] = 255
    assert np.abs(first_picture(source) - expected).max() < 0.01
    upscale_video(source, tmp_path / "b.mkv", Twice(), VideoOptions(crf=0, preset="ultrafast"), lambda line: None)
    larger = expected.repeat(2, 0).repeat(2, 1)
    assert np.abs(first_picture(tmp_path / "b.mkv") - larger).max() < 2


@pytest.mark.parametrize(("codec", "pixel_format", "name", "tag", "black"), [
    ("ffv1", "gray", "a.mkv", 0, 0),
    ("ffv1", "gray10le", "a.mkv", 0, 0),
    ("rawvideo", "gray", "a.avi", 0, 0),
    ("ffv1", "gray", "a.mkv", 1, 16),
    ("libx264", "gray", "a.mkv", 0, 16),
    ("libx264", "gray", "a.mkv", 2, 0),
])  # fmt: skip
def test_gray_that_names_no_range(tmp_path, codec, pixel_format, name, tag, black):
    """As FFmpeg shows it: the whole range, but not of codecs whose colour has less."""
    frame = av.VideoFrame(WIDTH, HEIGHT, pixel_format)
    frame.color_range = tag
    deep = frame.format.components[0].bits > 8
    room = np.frombuffer(memoryview(frame.planes[0]), np.uint16 if deep else np.uint8).reshape(HEIGHT, -1)
    room[:, :WIDTH] = np.arange(50, 50 + 2 * WIDTH, 2)[None] << (2 * deep)
    expected = (np.arange(50, 50 + 2 * WIDTH, 2) - black) * 255 / (219 if black else 255 * (1023 / 1020) ** -deep)
    found = first_picture(written(tmp_path / name, codec, frame))[HEIGHT // 2, :, 0]
    assert np.abs(found - expected).max() < 2


@pytest.mark.parametrize(
    ("pixel_format", "plain"), [("nv12", "yuv420p"), ("yuyv422", "yuv422p"), ("uyvy422", "yuv422p")]
)
def test_packed_planes_equal_plain_ones(tmp_path, pixel_format, plain):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    frame = av.VideoFrame(WIDTH, HEIGHT, plain)
    for index, plane in enumerate(frame.planes):
        room = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
        room[:, : plane.width] = (40 + 3 * index + 2 * x + y)[: plane.height, : plane.width]
    one = first_picture(written(tmp_path / "a.nut", "rawvideo", frame))
    two = first_picture(written(tmp_path / "b.nut", "rawvideo", frame.reformat(format=pixel_format)))
    assert one.std() > 10
    assert np.abs(one - two).max() < 0.01


@pytest.mark.parametrize(("codec", "pixel_format", "name", "shift"), [
    ("mjpeg", "yuvj420p", "a.avi", 0.5),
    ("mjpeg", "yuvj422p", "a.avi", 0.5),
    ("mpeg1video", "yuv420p", "a.mpg", 0.5),
    ("flv", "yuv420p", "a.flv", 0.5),
    ("mpeg2video", "yuv420p", "a.mpg", 0),
    ("libx264", "yuvj420p", "a.mkv", 0),
])  # fmt: skip
def test_colour_lies_where_the_codec_has_it(tmp_path, codec, pixel_format, name, shift):
    """A ramp of blue whose samples are made for the place that each codec's standard gives them."""
    frame = av.VideoFrame(WIDTH, HEIGHT, pixel_format)
    for index, plane in enumerate(frame.planes):
        room = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
        ramp = 64 + 2 * (2 * np.arange(WIDTH // 2) + shift)
        room[:, : plane.width] = ramp[None] if index == 1 else 128
    blue = first_picture(written(tmp_path / name, codec, frame))[:, 8:-8, 2]
    gray, of_blue = (128, 1) if pixel_format.startswith("yuvj") else ((128 - 16) * 255 / 219, 255 / 224)
    expected = gray + 1.772 * of_blue * (64 + 2 * np.arange(8, WIDTH - 8) - 128)
    assert abs((blue - expected).mean()) < 0.6  # half a column is 1.8 levels and more
