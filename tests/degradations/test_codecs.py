"""Real encoders: the stages hold what Pillow and PyAV write, on each picture's own pixels."""

import io

import av
import numpy as np
import pytest
import torch
from PIL import Image

from sr.degradations.codecs import JpegFile, VideoCodec, WebP, through_video
from sr.degradations.jpeg import Jpeg
from sr.degradations.pictures import Pictures
from sr.degradations.pipeline import Pipeline
from sr.draws import Draws, Record
from sr.errors import UserError
from tests.conftest import smooth_picture


def batch_of(*pictures):
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in pictures]).float() / 255


def levels(image):
    return (image * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def pillow(picture, kind, **settings):
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, kind, **settings)
    return np.array(Image.open(memory).convert("RGB"))


def psnr(a, b):
    """Of the luma: 4:2:0 alone costs pure colours more than any setting here."""
    a, b = (x @ np.array([0.299, 0.587, 0.114]) for x in (a, b))
    return 10 * np.log10(255**2 / max(((a - b) ** 2).mean(), 1e-10))


def apply(stage, image, record=None, samples=None):
    samples = np.arange(len(image)) if samples is None else samples
    return stage(Pictures.of(image, (1, 1)), Draws(0, samples, record)).pixels


def test_webp_and_jpeg_are_pillows():
    pictures = [smooth_picture(37, 50, seed) for seed in range(4)]
    for stage, kind, settings in (
        (WebP((40, 90)), "WEBP", {"method": 4}),
        (JpegFile((40, 90)), "JPEG", {"subsampling": "4:2:0"}),
        (JpegFile(choices=[30, 80], subsampling="4:4:4"), "JPEG", {"subsampling": "4:4:4"}),
    ):
        record = Record()
        made = levels(apply(stage, batch_of(*pictures), record))
        for i, picture in enumerate(pictures):
            quality = int(record.of(i)["quality"])
            assert np.array_equal(made[i], pillow(picture, kind, quality=quality, **settings))


STAGES = [
    WebP((40, 90), probability=0.6),
    JpegFile((40, 90), probability=0.6),
    VideoCodec("libx264", crf=(20, 35), motion=2, probability=0.6),
]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: type(stage).__name__)
def test_results_belong_to_samples_and_own_sizes(stage):
    image = batch_of(*[smooth_picture(37, 50, seed) for seed in range(6)])
    whole = apply(stage, image)
    assert torch.equal(whole, torch.cat([apply(stage, image[:2]), apply(stage, image[2:], samples=np.arange(2, 6))]))
    untouched = sum(torch.equal(a, b) for a, b in zip(whole, image, strict=True))
    assert 0 < untouched < 6
    canvas = torch.full((6, 3, 48, 64), float("nan"))
    canvas[..., :37, :50] = image
    ragged = Pictures(canvas, np.full(6, 37), np.full(6, 50), (1, 1))
    assert torch.equal(stage(ragged, Draws(0, np.arange(6))).pixels[..., :37, :50], whole)


@pytest.mark.parametrize(
    ("codec", "weak", "strong"),
    [
        ("libx264", {"crf": 18.0}, {"crf": 40.0}),
        ("libx265", {"crf": 18.0}, {"crf": 40.0}),
        ("mpeg4", {"bitrate": 400.0}, {"bitrate": 40.0}),
        ("mpeg2video", {"bitrate": 400.0}, {"bitrate": 40.0}),
    ],
)
def test_video_codecs_lose_more_with_stronger_settings(codec, weak, strong):
    picture = smooth_picture(75, 97, 0)
    clip = np.stack([np.roll(picture, shift, axis=1) for shift in (-2, -1, 0, 1, 2)])
    little, much = (through_video(clip, codec, settings) for settings in (weak, strong))
    assert little.shape == clip.shape
    assert psnr(little[2], picture) > psnr(much[2], picture) + 1
    assert psnr(much[2], picture) > 25, "the frame in the middle, in its place and its colours"


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_the_same_clip_gives_the_same_bits(codec):
    clip = np.stack([np.roll(smooth_picture(37, 50, 3), shift, axis=1) for shift in (-2, -1, 0, 1, 2)])
    made = {through_video(clip, codec, {"bitrate": 100.0}).tobytes() for _ in range(8)}
    assert len(made) == 1


def test_the_middle_frame_is_in_place_whatever_the_motion():
    picture = smooth_picture(64, 64, 1)
    still = psnr(levels(apply(VideoCodec("libx264", crf=(12, 12)), batch_of(picture)))[0], picture)
    record = Record()
    moved = levels(apply(VideoCodec("libx264", crf=(12, 12), frames=7, motion=3), batch_of(*[picture] * 4), record))
    assert still > 40
    assert all(psnr(one, picture) > 40 for one in moved)
    assert len({one.tobytes() for one in moved}) > 1
    assert record.of(0) == {"crf": 12}


def test_a_pipeline_wants_them_in_advance_only():
    for stage in STAGES:
        with pytest.raises(ValueError, match=r"stages.codec runs on the CPU only; set degradation.in_advance=true"):
            Pipeline(1, {"codec": stage})
        assert Pipeline(1, {"codec": stage}, in_advance=True).picture(smooth_picture(37, 50, 0), 3).shape == (37, 50, 3)


def test_the_fast_jpeg_is_near_the_file():
    picture = smooth_picture(64, 80, 2)
    fast, file = (levels(apply(kind((75, 75)), batch_of(picture)))[0] for kind in (Jpeg, JpegFile))
    assert psnr(fast, file) > 46


def test_an_encoder_that_fails_is_named():
    clip = np.zeros((3, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(UserError, match=r"codec=mjpeg with .* fails \(.*\); choose libx264 or mpeg4"):
        through_video(clip, "mjpeg", {"crf": 20.0})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: VideoCodec("libx26", crf=(20, 30)),
            r"codec=libx26 is no yuv420p .*did you mean libx26.*It has libx264",
        ),
        (lambda: VideoCodec("aac", crf=(20, 30)), "codec=aac is no yuv420p video encoder of this PyAV"),
        (lambda: VideoCodec("mpeg4", crf=(20, 30)), r"codec=mpeg4 knows no crf; set bitrate=\[lowest, highest\]"),
        (lambda: VideoCodec(), r"set either crf=\[lowest, highest\] or bitrate="),
        (lambda: VideoCodec(crf=(20, 30), bitrate=(1, 2)), "set either crf="),
        (lambda: VideoCodec(crf=(20, 80)), r"crf=\[20, 80\] must lie between 0 and 63"),
        (lambda: VideoCodec(crf=(20, 30), frames=0), "frames=0 must lie between 1 and 100"),
        (lambda: VideoCodec(crf=(20, 30), motion=99), "motion=99 must lie between 0 and 32"),
        (lambda: WebP(), "set either quality="),
        (lambda: JpegFile((1, 200)), r"quality=\[1, 200\] must lie between 1 and 100"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_names_of_encoders_are_those_of_pyav():
    assert "libx264" in av.codecs_available
    VideoCodec("libx264", crf=(20, 20))
