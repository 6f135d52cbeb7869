"""What a run keeps in memory is counted before it starts, named, and not held twice."""

import tracemalloc
from functools import partial

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sr.config.building import build_module
from sr.config.composing import composed
from sr.errors import UserError
from sr.training import memory
from sr.training.callbacks import guard as guards
from sr.training.callbacks.swapout import Swapout
from sr.training.clock import Clock
from sr.training.keeping.checkpoint import read_checkpoint, write_checkpoint
from sr.training.keeping.state import copied
from sr.training.memory import Kept, check_batch_fits, kept_on_device

SHAPE = (32, 3, 128, 128)


def module_of(*overrides):
    small = ["data=folder", "data.train=a", "data.val=b", "trainer.accelerator=cpu", "trainer.precision=32"]
    return build_module(composed([*small, "model.features=8", *overrides]), Clock(3, None))


def test_a_thousand_batches_of_old_fakes_are_counted():
    module = module_of("discriminator=conv", "adversary=[lsgan,batch_store]", "data.crop=34", "trainer.ema=null")
    (store,) = kept_on_device(module, SHAPE, 1, recover=False)
    assert store.nbytes == 1000 * 32 * 3 * 256 * 256 * 2, "12.6 GB in half precision"
    assert kept_on_device(module, SHAPE, 2, recover=False)[0].nbytes == 2 * store.nbytes, "each process keeps all"
    fakes = torch.zeros(4, 3, 8, 8)
    assert module.adversaries["d"].replay.bytes_of_one(4, 3 * 8 * 8) == fakes.half().nbytes


def test_a_pool_and_the_copies_of_the_guard_are_counted():
    pool = module_of("discriminator=conv", "adversary=[lsgan_conditional,image_pool]", "data.crop=34")
    held, copies = kept_on_device(pool, SHAPE, 1, recover=True)
    assert held.nbytes == 50 * 6 * 256 * 256 * 4
    weights = sum(p.nbytes for net in (pool.network, pool.adversaries["d"].network) for p in net.parameters())
    assert 3 * weights <= copies.nbytes < 5 * weights
    assert [one.setting for one in kept_on_device(module_of(), SHAPE, 1, recover=True)] == [
        "trainer.guard.recover=true"
    ]


def test_networks_that_wait_while_earlier_ones_play_are_counted():
    module = module_of("discriminator=conv", "adversary=lsgan", "data.crop=34", "trainer.ema=null")
    sizes = [
        sum(p.nbytes for p in net.state_dict().values()) for net in (module.network, module.adversaries["d"].network)
    ]
    counted = partial(kept_on_device, module, SHAPE, 1, False)
    assert counted() == []
    both = counted([Swapout(g_every=113, d_every=223, duration=40, keep_every=500)])
    assert [one.nbytes for one in both] == [3 * size for size in sizes], "with Adam's moments"
    (own,) = counted([Swapout(g_every=113, d_every=None, duration=40, keep_every=500)])
    assert own.setting == "callbacks.swapout.g_every=113"
    assert own.advice(0.0) == "callbacks.swapout.g_every=null"


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (
            Kept("adversary.d.replay.capacity=1000", 12 * 2**30, 12 * 2**30 // 1000),
            r"adversary\.d\.replay\.capacity=1000 keeps 12\.0 GiB in memory, a step needs about 0\.\d GiB beside it "
            r"and 8\.0 GiB are free: take adversary\.d\.replay\.capacity=5\d\d or less, or a smaller data\.crop",
        ),
        (Kept("trainer.guard.recover=true", 9 * 2**30), r"keeps 9\.0 GiB .*: take trainer\.guard\.recover=false, or a"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(monkeypatch, kept, message):
    monkeypatch.setattr(memory, "free_bytes", lambda _: 8 * 2**30)
    module = module_of()
    check = partial(check_batch_fits, module.network, (4, 3, 16, 16), module.compute)
    check()
    check(kept=[kept._replace(nbytes=2**30)])
    with pytest.raises(UserError, match=message):
        check(kept=[kept])


@pytest.mark.parametrize(("recover", "device"), [(True, None), (False, torch.device("cpu"))])
def test_a_guard_that_undoes_nothing_keeps_nothing_on_the_device(monkeypatch, tmp_path, recover, device):
    asked = []
    monkeypatch.setattr(guards, "copied", lambda state, where=None: asked.append(where) or state)
    monkeypatch.setattr(guards, "trained_state", lambda _: {})
    keeper = object.__new__(guards.Guard)
    keeper.recover = recover
    keeper._keep(module_of())
    assert asked == [device]
    assert copied({"x": [torch.zeros(2)]}, torch.device("meta"))["x"][0].device.type == "meta"


class Copies(TorchDispatchMode):
    """Counts operations that make another tensor of a large one."""

    made = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        own = isinstance(result, torch.Tensor) and result.numel() >= 2**20
        self.made += own and all(
            result.untyped_storage().data_ptr() != arg.untyped_storage().data_ptr()
            for arg in args
            if isinstance(arg, torch.Tensor)
        )
        return result


def test_saving_does_not_hold_the_state_twice(tmp_path):
    state = {"kept": [torch.rand(2**20) for _ in range(8)]}
    tracemalloc.start()
    with Copies() as copies:
        write_checkpoint(tmp_path / "a.ckpt", state)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20, "of 32 MiB"
    assert copies.made == 0, "of tensors, whose memory tracemalloc does not see"
    assert all(map(torch.equal, read_checkpoint(tmp_path / "a.ckpt")["kept"], state["kept"]))


def test_a_disk_that_fills_while_a_checkpoint_is_written_is_told_as_such(tmp_path):
    write_checkpoint(tmp_path / "a.ckpt", {"x": 1})

    class Full:
        def __reduce_ex__(self, _):
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left on device; the previous file is kept"):
        write_checkpoint(tmp_path / "a.ckpt", {"x": Full()})
    assert read_checkpoint(tmp_path / "a.ckpt")["x"] == 1
