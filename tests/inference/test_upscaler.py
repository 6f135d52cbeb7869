"""Networks at work: tiles equal the whole, rows equal pictures, whatever is asked of them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Event, Thread

import pytest
import torch
from torch import nn

from sr.errors import UserError
from sr.image.resize import bicubic
from sr.inference.engines.choosing import operations_per_pixel
from sr.inference.engines.torch import TorchEngine
from sr.inference.ensemble import turns
from sr.inference.memory import Memory
from sr.inference.planning import CUT, WHOLE, plan
from sr.inference.reach import measured_reach
from sr.inference.rows import StripRows, TensorRows, gathered
from sr.inference.upscaler import Upscaler
from sr.inference.workers import Workers
from sr.models.compact import Compact
from sr.models.espcn import Espcn
from sr.models.rdn import Rdn
from sr.models.rrdb import RrdbNet
from sr.models.sr_resnet18 import SrResnet18
from sr.models.upscale import NotFiniteError
from tests.close import assert_close

CPU = torch.device("cpu")
KINDS = {
    "espcn": lambda scale, padding: Espcn(scale, padding=padding),
    "rdn_small": lambda scale, padding: Rdn(scale, 32, 16, 2, 2, padding=padding),
    "compact": lambda scale, padding: Compact(scale, 16, 4, padding=padding),
    "sr_resnet18": lambda scale, padding: SrResnet18(scale, widths=[8, 16], padding=padding),
}


class Nearest(nn.Module):
    """Repeats pixels, after a change of their values."""

    def __init__(self, scale: int = 2, change=lambda x: x) -> None:
        super().__init__()
        self.scale, self.change = scale, change

    def forward(self, lr):
        return self.change(lr).repeat_interleave(self.scale, -1).repeat_interleave(self.scale, -2)


class WholeMean(nn.Module):
    """Sees the whole picture."""

    scale = 1

    def forward(self, lr):
        return lr - lr.mean((-2, -1), keepdim=True) + 0.5


def made(*networks, **options):
    return Upscaler(networks, CPU, **{"engine": "torch"} | options)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def whole(network, lr):
    """One call for the whole picture, by one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    sr = TorchEngine(network, CPU)(lr).clamp(0, 1)
    torch.set_num_threads(before)
    return sr


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("scale", "padding"), [(2, "zeros"), (3, "reflect"), (4, "replicate")])
def test_tiles_equal_the_whole_picture_bit_for_bit(two_threads, name, scale, padding):
    network = KINDS[name](scale, padding).eval()
    small_tiles, large_tiles = made(network, tile=64), made(network)
    for height, width in ((131, 157), (40, 190)):
        lr = torch.rand(1, 3, height, width)
        expected = whole(network, lr)
        assert torch.equal(small_tiles.image(lr), expected)
        assert torch.equal(large_tiles.image(lr), expected)


def test_pictures_smaller_than_a_tile_and_of_one_pixel(two_threads):
    network = Espcn(2).eval()
    for height, width in ((1, 1), (3, 200), (20, 10)):
        lr = torch.rand(1, 3, height, width)
        assert torch.equal(made(network, tile=64).image(lr), whole(network, lr))


def test_frames_of_a_batch_equal_single_ones(two_threads):
    upscaler, frames = made(Espcn(2).eval(), tile=64), torch.rand(3, 3, 90, 150)
    assert torch.equal(upscaler.image(frames), torch.cat([upscaler.image(one) for one in frames.split(1)]))


def test_threads_of_the_caller_stay(two_threads):
    made(Espcn(2)).image(torch.rand(1, 3, 150, 150))
    assert torch.get_num_threads() == 2


class Once:
    """A picture of which rows above the last top are gone, and of which at most so many are asked for at once."""

    def __init__(self, picture: torch.Tensor) -> None:
        self.picture, self.height, self.width = picture, picture.shape[-2], picture.shape[-1]
        self.top, self.most = 0, 0

    def read(self, top: int, bottom: int) -> torch.Tensor:
        assert self.top <= top < bottom <= self.height
        self.top, self.most = top, max(self.most, bottom - top)
        return self.picture[..., top:bottom, :]


@pytest.mark.parametrize("options", [{}, {"scale": 3.3}, {"colour": "match"}, {"colour": "low"}, {"ensemble": True}])
def test_rows_equal_the_picture_and_ask_for_few_at_once(options):
    network, lr = Espcn(2, features=8, dilations=(1,)).eval(), torch.rand(1, 3, 300, 64)
    expected = made(network, tile=48, **options).image(lr)
    source = Once(lr)
    rows = made(network, tile=48, **options).rows(source)
    parts = [rows.read(top, min(top + 37, rows.height)) for top in range(0, rows.height, 37)]
    assert torch.equal(torch.cat(parts, dim=-2), expected)
    assert source.most < 150


def test_strips_serve_what_may_be_asked_again():
    picture = torch.rand(1, 3, 20, 4)
    rows = StripRows(20, 4, iter(picture.split(3, dim=-2)))
    assert torch.equal(rows.read(0, 7), picture[..., :7, :])
    assert torch.equal(rows.read(5, 12), picture[..., 5:12, :])
    assert torch.equal(rows.read(5, 20), picture[..., 5:, :])
    with pytest.raises(ValueError, match="rows 2 to 4 of 20 are asked for, and rows from 3 kept"):
        rows.read(2, 4)
    assert torch.equal(gathered(TensorRows(picture)), picture)


def test_the_ensemble_turns_and_mirrors_in_all_eight_ways():
    network, lr = Compact(2, 8, 2).eval(), torch.rand(1, 3, 30, 41)
    engine = TorchEngine(network, CPU)
    versions = [
        engine(lr.flip(dims).rot90(turn, (-2, -1))).rot90(-turn, (-2, -1)).flip(dims)
        for dims in ((), (-1,))
        for turn in range(4)
    ]
    assert_close(made(network, ensemble=True).image(lr), torch.stack(versions).mean(0).clamp(0, 1))
    tiles = made(network, ensemble=True, tile=64).image(lr := torch.rand(1, 3, 130, 150))
    assert_close(tiles, made(network, ensemble=True).image(lr))


@pytest.mark.parametrize("size", [(101, 123), (96, 127)])
def test_the_ensemble_of_networks_that_fold_pixels_is_that_of_the_whole_picture(size):
    torch.manual_seed(0)
    network, lr = RrdbNet(2, features=4, blocks=1, growth=4).eval(), torch.rand(1, 3, *size)
    versions = [turn.back(TorchEngine(network, CPU)(turn.there(lr))) for turn in turns()]
    wanted = torch.stack(versions).mean(0).clamp(0, 1)
    assert_close(made(network, ensemble=True, tile=32).image(lr), wanted)
    assert_close(made(network, ensemble=True, tile=1000).image(lr), wanted)


def test_threads_that_share_an_upscaler_measure_it_once_and_cut_alike(monkeypatch, one_thread):
    sides, second_done = [], Event()
    network = Nearest(change=lambda p: sides.append(min(p.shape[-2:])) or p)
    upscaler, lr = made(network, tile=64), torch.rand(1, 3, 300, 280)

    def second():
        upscaler.image(lr)
        second_done.set()

    def measured_meanwhile(network):
        other.start()
        second_done.wait(0.5)  # it must not be done
        return measured_reach(network)

    other = Thread(target=second)
    monkeypatch.setattr("sr.inference.upscaler.measured_reach", measured_meanwhile)
    upscaler.image(lr)
    other.join()
    assert second_done.is_set()
    assert max(sides) < 140


def test_threads_that_share_workers_start_them_once(monkeypatch, two_threads):
    started, both = [], Barrier(2)

    class Pool(ThreadPoolExecutor):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)
            with suppress(BrokenBarrierError):
                both.wait(0.5)  # nobody else must come

    monkeypatch.setattr("sr.inference.workers.ThreadPoolExecutor", Pool)
    workers = Workers(CPU)
    threads = [Thread(target=workers.map, args=(abs, (1, 2))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 1


def test_a_small_picture_does_not_choose_the_engine_for_large_ones(monkeypatch):
    trials = []

    def choose(network, kind, device, precision, trial, **_):
        trials.append(None if trial is None else tuple(trial.shape))
        return TorchEngine(network, device)

    monkeypatch.setattr("sr.inference.upscaler.choose_engine", choose)
    upscaler = made(network := Espcn(2, features=8).eval(), engine="auto")
    monkeypatch.setattr("sr.inference.upscaler._TRIAL_WORTH", operations_per_pixel(network) * 50 * 50)
    torch.manual_seed(5)
    for side in (20, 30, 60, 20, 70):
        assert torch.equal(upscaler.image(lr := torch.full((1, 3, side, side), 0.3)), whole(network, lr))
    assert trials == [None, (1, 3, 60, 60)]
    drawn = torch.rand(1)
    assert torch.equal(drawn, torch.manual_seed(5) and torch.rand(1))  # nobody else's draws were touched


def test_the_engine_of_a_film_is_chosen_by_all_its_frames_and_stays_when_it_goes_on(monkeypatch):
    trials = []

    class Rival(TorchEngine):
        def __init__(self, network, device):
            super().__init__(network, device)
            self.name = "OpenVINO"

    def choose(network, kind, device, precision, trial, **_):
        trials.append((kind, trial is not None))
        return Rival(network, device) if trial is not None or kind == "openvino" else TorchEngine(network, device)

    monkeypatch.setattr("sr.inference.upscaler.choose_engine", choose)
    network = Espcn(2, features=8).eval()
    monkeypatch.setattr("sr.inference.upscaler._TRIAL_WORTH", operations_per_pixel(network) * 20 * 20 * 99)
    assert made(network, engine="auto").computed_by(20, 20, 99).startswith("torch on cpu")
    told = made(network, engine="auto").computed_by(20, 20, 100)
    assert told.startswith("OpenVINO on cpu")
    assert trials == [("auto", False), ("auto", True)]
    elsewhere, gone = "TensorRT on cuda", told.replace("OpenVINO", "TensorRT")
    begun = "\n".join((elsewhere, told.replace("cpu", "cuda"), gone, told))
    for networks, before, after in (([network], begun, told), ([network], elsewhere, "torch on cpu")):
        trials.clear()
        assert made(*networks, engine="auto").computed_by(20, 20, 1, before).startswith(after)
        assert trials == [("openvino" if after == told else "auto", False)]
    both = f"OpenVINO and torch on cpu, PyTorch {torch.__version__}"
    assert made(network, network, engine="auto").computed_by(20, 20, 1, both).startswith(both)
    assert made(network, engine="auto").computed_by(20, 20, 1, both).startswith("torch on cpu")


def test_networks_are_averaged_before_the_result_is_clipped():
    bright, dark = Nearest(change=lambda x: x + 1), Nearest(change=lambda x: x - 1)
    lr = torch.rand(1, 3, 5, 6)
    assert_close(made(bright, dark).image(lr), whole(Nearest(), lr))


def test_other_scales_go_beyond_and_shrink():
    lr = torch.rand(1, 3, 40, 30)
    upscaler = made(Nearest(2), scale=3)
    assert upscaler.scale == 3
    large = whole(Nearest(4), lr)
    assert_close(upscaler.image(lr), bicubic(large, size=(120, 90)).clamp(0, 1))
    assert made(Nearest(2), scale=1.1).image(lr).shape == (1, 3, 44, 33)
    assert torch.equal(made(Nearest(2), scale=4).image(lr), large)


def test_colours_of_the_input_come_back():
    y, x = torch.meshgrid(torch.linspace(0, 1, 128), torch.linspace(0, 1, 128), indexing="ij")
    lr = (0.3 + 0.4 * torch.stack([x, y, x * y])).unsqueeze(0)
    truth = whole(Nearest(), lr)
    cast = Nearest(change=lambda p: 0.8 * p + 0.1)
    assert (made(cast).image(lr) - truth).abs().max() > 0.03
    assert_close(made(cast, colour="match").image(lr), truth)
    ramp = Nearest(change=lambda p: p + 0.1 * torch.linspace(-1, 1, p.shape[-1]) if p.shape[-1] == 128 else p)
    low, match = (made(ramp, colour=kind).image(lr) for kind in ("low", "match"))
    assert (low - truth).abs().mean() < 0.2 * (match - truth).abs().mean()


def test_a_flat_picture_keeps_its_spread():
    lr = torch.full((1, 3, 10, 10), 0.5)
    lr[..., ::2] += 0.1
    flat = made(Nearest(change=lambda p: 0.7 + 0.01 * (p - 0.5)), colour="match").image(lr)
    assert flat.std() < 0.001
    assert_close(flat.mean(), lr.mean())


def test_a_global_network_sees_the_whole_and_that_is_said(two_threads):
    lr = torch.rand(1, 3, 150, 140)
    upscaler, told = made(WholeMean()), []
    upscaler.tell = told.append
    assert_close(upscaler.image(lr), whole(WholeMean(), lr))
    assert upscaler.said == told == [WHOLE]


@pytest.mark.parametrize("ensemble", [False, True])
def test_a_global_network_is_cut_where_that_is_asked_for_or_memory_runs_out(ensemble):
    sizes, most = [], []

    class Little(WholeMean):
        def forward(self, lr):
            sizes.append(lr.shape[-2:].numel())
            if most and sizes[-1] > most[0]:
                raise RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)")
            return super().forward(lr)

    lr = torch.rand(1, 3, 300, 280)
    asked, short = (made(Little(), ensemble=ensemble, **options) for options in ({"tile": 64}, {}))
    short._measure()
    for upscaler, said in ((asked, [CUT]), (short, [WHOLE, CUT])):
        upscaler._measure()
        sizes.clear()
        most[:] = [lr.shape[-2:].numel() // 2] if upscaler is short else []
        assert (upscaler.image(lr) - whole(WholeMean(), lr)).abs().max() < 0.05
        assert sizes[-1] < 170 * 170
        assert upscaler.said == said
        most.clear()
    most[:] = [1]
    with pytest.raises(RuntimeError, match="out of memory"):
        made(Little(), exact=True, engine="torch").image(lr)


def test_few_windows_at_once_where_memory_is_short(two_threads, monkeypatch):
    together, most = [], []

    def count(lr):
        together.append(None)
        most.append(len(together))
        together.pop()
        return lr

    network, lr = Nearest(change=count), torch.rand(2, 3, 300, 280)
    upscaler = made(network)
    upscaler._measure()
    per_pixel, strip = upscaler._per_pixel, 12 * 280 * (64 + 2 * 64 * 4)
    monkeypatch.setattr(
        "sr.inference.upscaler.memory_on", lambda device, times: Memory(1, strip + 1.5 * 7000 * per_pixel)
    )
    most.clear()
    assert torch.equal(upscaler.image(lr), whole(Nearest(), lr))
    assert len(most) > 20
    assert max(most) == 1


def test_pictures_of_a_batch_that_are_computed_at_once_share_memory(monkeypatch):
    works = []
    monkeypatch.setattr("sr.inference.upscaler.plan", lambda work, *rest: works.append(work) or plan(work, *rest))
    upscaler = made(Nearest())
    for split in (True, False):
        upscaler._workers.split = split
        upscaler.image(torch.rand(4, 3, 150, 140))
    assert works[1].per_pixel == 4 * works[0].per_pixel > 0


def test_small_pictures_have_engines_tried_where_many_wait(monkeypatch):
    trials = []
    monkeypatch.setattr(
        "sr.inference.upscaler.choose_engine",
        lambda network, kind, device, precision, trial, **_: (
            trials.append(trial is not None) or TorchEngine(network, device)
        ),
    )
    network = Espcn(2, features=8).eval()
    monkeypatch.setattr("sr.inference.upscaler._TRIAL_WORTH", operations_per_pixel(network) * 20 * 20 * 9)
    upscaler = made(network, engine="auto")
    upscaler.image(torch.rand(1, 3, 20, 20))
    upscaler.waiting = 10
    upscaler.image(torch.rand(1, 3, 20, 20))
    assert trials == [False, True]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_tiles_that_have_not_begun_are_left_out_after_an_error(two_threads, error):
    begun, both = [], Barrier(2)

    def fill(number):
        begun.append(number)
        if number < 2:
            both.wait(60)
        if number == 0:
            raise error
        Event().wait(0.05)

    with pytest.raises(error):
        Workers(CPU).map(fill, range(40))
    assert len(begun) < 10


@pytest.mark.parametrize("colour", ["match", "low"])
def test_colours_of_pictures_in_memory_need_no_file(monkeypatch, colour):
    monkeypatch.setattr("sr.inference.colour.TemporaryFile", None)
    assert made(Nearest(), colour=colour).image(torch.rand(1, 3, 130, 20)).shape == (1, 3, 260, 40)


def test_tiles_are_halved_where_memory_runs_out():
    sizes = []

    def little_memory(p):
        sizes.append(p.shape[-1])
        if p.numel() > 3 * 100 * 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return p

    lr = torch.rand(1, 3, 300, 280)
    network = Nearest()
    upscaler = made(network)
    upscaler.image(lr)
    upscaler._networks[0].change = upscaler._engines[0]._network.change = little_memory
    assert torch.equal(upscaler.image(lr), whole(Nearest(), lr))
    assert max(sizes) > 100 > min(sizes)


def test_memory_that_never_suffices_is_told():
    def no_memory(p):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        made(Nearest(change=no_memory), tile=64).image(torch.rand(1, 3, 50, 50))


@pytest.mark.parametrize("precision", ["bf16", "16"])
def test_half_precision_that_overflows_is_computed_in_float32(precision):
    class Large(Nearest):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv2d(3, 3, 1, bias=False)
            self.convolution.weight.data = 1e6 * torch.eye(3)[..., None, None]

        def forward(self, lr):
            return super().forward(self.convolution(lr).float() / 1e6)

    network = Large().eval()
    lr = torch.rand(1, 3, 20, 20)
    upscaler = made(network, precision=precision)
    if precision == "16":
        assert_close(upscaler.image(lr), whole(network, lr))
        assert upscaler.said == ["torch, fp16 overflows with this network: such tiles are computed in float32"]
    else:
        assert (upscaler.image(lr) - whole(network, lr)).abs().max() < 0.02
        assert upscaler.said == []


def test_what_computes_is_told_before_and_stays():
    lr, upscaler = torch.rand(1, 3, 150, 140), made(Espcn(2).eval(), engine="auto")
    told = upscaler.computed_by(150, 140)
    assert told == f"torch on cpu, PyTorch {torch.__version__}"
    upscaler.image(lr)
    assert upscaler.computed_by(150, 140) == told
    assert made(Espcn(2).eval(), precision="bf16").computed_by(150, 140) != told
    assert made(Espcn(2).eval(), compile=True).computed_by(150, 140) != told


def test_what_is_no_picture_is_refused():
    with pytest.raises(NotFiniteError, match="infinite or not a number"):
        made(Nearest(change=lambda p: p / 0)).image(torch.ones(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("networks", "options", "message"),
    [
        ((), {}, "there is no network; name at least one"),
        ((Nearest(2), Nearest(3)), {}, "these have x2, x3; give one of them"),
        ((Nearest(),), {"tile": 0}, "tile=0 is too small; the smallest tile has 16 pixels a side"),
        ((Nearest(),), {"scale": -1.0}, "scale=-1 is not within 1 and 64; nearest is 1"),
        ((WholeMean(),), {"scale": 2.0}, "scale=2 is out of reach of a network that does not enlarge"),
        ((Nearest(),), {"engine": "torsh"}, "^engine=torsh is not one of .*; did you mean torch"),
        ((Nearest(),), {"engine": "openvino", "compile": True}, "^engine=openvino compiles nothing: torch.compile is"),
        ((Nearest(),), {"precision": "8"}, "^precision=8 is not one of"),
        ((Nearest(),), {"colour": "lo"}, "^colour=lo is not one of .*; did you mean low"),
    ],
)
def test_what_cannot_be_is_refused(networks, options, message):
    with pytest.raises(UserError, match=message):
        made(*networks, **options)
