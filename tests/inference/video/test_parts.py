"""Times of decoding, options, and the threads beside the network."""

from threading import Event, active_count

import pytest

from sr.errors import UserError
from sr.inference.video.joining import decode_times
from sr.inference.video.options import VideoOptions
from sr.inference.video.threads import ReadAhead, WriteBehind


@pytest.mark.parametrize(
    ("shown", "decoded"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30]),
        ([0, 20, 10, 40, 30], [-10, 0, 10, 20, 30]),
        ([0, 40, 20, 10, 30, 50], [-20, -10, 0, 10, 20, 30]),
        ([5, 6, 900, 7], [4, 5, 6, 7]),
        ([7], [7]),
        ([], []),
    ],
)
def test_decode_times(shown, decoded):
    assert decode_times(shown) == decoded
    assert all(early <= late for early, late in zip(decoded, shown, strict=True))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"codec": "h264"}, "codec 'h264' does not exist; nearest is x264, all are x264, x265, av1"),
        ({"crf": 52}, r"crf 52 does not exist; x264 takes 0 \(best\) to 51, nearest is 51"),
        ({"codec": "av1", "preset": "slow"}, "preset 'slow' does not exist; nearest is .*, all are 10, 9"),
        ({"preset": "very slow"}, "preset 'very slow' does not exist; nearest is veryslow"),
        ({"tune": "anime"}, "tune 'anime' does not exist; nearest is animation"),
        ({"start": -1.0}, "start -1 is no time"),
        ({"start": float("nan")}, "start nan is no time"),
        ({"length": 0.0}, "length 0 is no time; give seconds above 0"),
        ({"size": (0, 5)}, "size 0x5 is too small; nearest is at least 2x2"),
        ({"batch": 0}, "batch 0 is too small; nearest is 1"),
    ],
)
def test_options_are_checked(wrong, message):
    with pytest.raises(UserError, match=message):
        VideoOptions(**wrong)


def test_what_encoders_are_told():
    assert VideoOptions(tune="animation").encoder_options() == {"crf": "17", "preset": "veryfast", "tune": "animation"}
    assert VideoOptions(codec="av1", tune="ssim", crf=0).encoder_options() == {
        "crf": "0",
        "preset": "8",
        "svtav1-params": "tune=2",
    }


def counting(made, stop=1000, fail=None):
    for number in range(stop):
        if number == fail:
            raise ValueError("at its place")
        made.append(number)
        yield number


def test_reading_ahead_is_bounded_and_in_order():
    made = []
    with ReadAhead(counting(made, 50), 3) as items:
        assert next(items) == 0
        assert len(made) <= 6  # what waits, one in the hand of each side, and what was taken
        assert list(items) == list(range(1, 50))


def test_an_error_of_the_reader_arrives_in_its_place():
    with ReadAhead(counting([], fail=2), 3) as items:
        assert [next(items), next(items)] == [0, 1]
        with pytest.raises(ValueError, match="at its place"):
            next(items)


def test_a_reader_that_is_left_ends():
    before, generator = active_count(), counting([])
    with ReadAhead(generator, 2) as items:
        next(items)
    assert active_count() == before
    assert next(generator, None) is None  # closed


def test_writing_behind():
    done = []
    with WriteBehind(done.append, 2) as behind:
        for number in range(50):
            behind.put(number)
    assert done == list(range(50))


def test_an_error_of_the_writer_stops_the_job():
    def fail(number):
        if number == 1:
            raise OSError("full")

    with pytest.raises(OSError, match="full"), WriteBehind(fail, 1) as behind:
        all(behind.put(number) is None for number in range(100))
    with pytest.raises(OSError, match="full"), WriteBehind(fail, 5) as last:
        last.put(1)


def test_after_an_error_nothing_more_is_written():
    done, let = [], Event()

    def fail(number):
        let.wait()
        done.append(number)
        raise OSError("full")

    def write():
        with WriteBehind(fail, 5) as behind:
            for number in range(5):
                behind.put(number)
            let.set()

    with pytest.raises(OSError, match="full"):
        write()
    assert done == [0]


def test_an_error_elsewhere_ends_the_writer():
    before = active_count()
    behind = WriteBehind([].append, 2)
    behind.put(1)
    with pytest.raises(KeyError), behind:
        raise KeyError
    assert active_count() == before
