"""Old fakes."""

import math

import pytest
import torch

from sr.training.adversary.replay import BatchStore, ImagePool
from tests.adversary_pieces import draws, numbered, numbers, rand, saved
from tests.close import assert_close


def test_pool_fills_with_what_it_uses():
    pool = ImagePool(capacity=3, probability=1.0)
    assert numbers(pool.exchange(numbered(1, 2), draws(2))[0]) == [1, 2]
    assert [k.item() for k in pool.kept] == [1, 2]
    used = pool.exchange(numbered(3), draws(1, 2))
    assert len(used) == 1
    assert numbers(used[0]) == [3]
    assert [k.item() for k in pool.kept] == [1, 2, 3]


def test_pool_never_exchanges_with_probability_0():
    pool = ImagePool(capacity=2, probability=0.0)
    pool.exchange(numbered(1, 2), draws(2))
    for start in range(2, 40, 2):
        assert numbers(pool.exchange(numbered(start, start + 1), draws(2, start))[0]) == [start, start + 1]
    assert [k.item() for k in pool.kept] == [1, 2]


def test_pool_always_exchanges_with_probability_1():
    """What comes out was in; what goes in takes its place; nothing is lost or doubled."""
    pool = ImagePool(capacity=4, probability=1.0)
    pool.exchange(numbered(0, 1, 2, 3), draws(4))
    out, inside = [], {0.0, 1.0, 2.0, 3.0}
    for new in range(4, 100):
        (old,) = numbers(pool.exchange(numbered(new), draws(1, new))[0])
        assert old in inside
        inside = inside - {old} | {float(new)}
        assert {k.item() for k in pool.kept} == inside
        assert len(pool.kept) == 4
        out.append(old)
    assert len(set(out)) == 96


def test_pool_exchanges_as_often_as_it_should_and_from_every_slot():
    pool = ImagePool(capacity=5, probability=0.5)
    pool.exchange(numbered(*range(5)), draws(5))
    count = 2000
    new = [first + i for first in range(5, 5 + count, 10) for i in range(10)]
    used = []
    for first in range(5, 5 + count, 10):
        before = [k.item() for k in pool.kept]
        batch = numbers(pool.exchange(numbered(*range(first, first + 10)), draws(10, first))[0])
        assert set(batch) <= {*before, *range(first, first + 10)}
        used += batch
    exchanged = sum(a != b for a, b in zip(new, used, strict=True)) / count
    assert abs(exchanged - 0.5) < 5 * math.sqrt(0.25 / count)
    assert len(pool.kept) == 5
    assert min(k.item() for k in pool.kept) >= 1000  # every slot has been exchanged lately


def test_pool_keeps_copies_and_gives_copies():
    pool = ImagePool(capacity=2, probability=1.0)
    first = numbered(1, 2)
    (used,) = pool.exchange(first, draws(2))
    first.fill_(-1)
    used.fill_(-2)
    assert [k.item() for k in pool.kept] == [1, 2]
    second = numbered(3)
    (old,) = pool.exchange(second, draws(1, 2))
    before = [k.item() for k in pool.kept]
    assert 3 in before
    old.fill_(-3)
    second.fill_(-4)
    assert [k.item() for k in pool.kept] == before


def test_pool_lets_no_gradient_through():
    pool = ImagePool(capacity=1, probability=1.0)
    fakes = numbered(1, 2).requires_grad_()
    (used,) = pool.exchange(fakes, draws(2))
    assert not used.requires_grad
    assert not any(kept.requires_grad for kept in pool.kept)


def test_pool_state_round_trip():
    pool, again = ImagePool(capacity=3, probability=0.7), ImagePool(capacity=3, probability=0.7)
    pool.exchange(rand(5, 3, 2, 2), draws(5))
    again.load_state_dict(saved(pool.state_dict()))
    for first in (5, 9, 13):
        batch = rand(4, 3, 2, 2, seed=first)
        a, b = (p.exchange(batch, draws(4, first)) for p in (pool, again))
        assert torch.equal(a[0], b[0])
    assert len(again.kept) == 3


def test_pool_state_is_not_changed_by_what_follows():
    pool = ImagePool(capacity=2, probability=1.0)
    pool.exchange(numbered(1, 2), draws(2))
    state = pool.state_dict()
    pool.exchange(numbered(3, 4), draws(2, 2))
    assert [k.item() for k in state["kept"]] == [1, 2]


@pytest.mark.parametrize(("stored", "sample"), [(0, 0), (99, 0), (100, 1), (199, 1), (700, 7), (999, 9), (1000, 10)])
def test_store_samples_1_percent(stored, sample):
    """int(0.01 * stored): nothing until 100 are stored, ten at most."""
    store = BatchStore()
    store.kept = [numbered(n).half() for n in range(stored)]
    assert store.sample_size == sample
    new, *old = store.exchange(numbered(5000), draws(1))
    assert numbers(new) == [5000]
    assert len(old) == sample
    values = [v for batch in old for v in numbers(batch)]
    assert len(set(values)) == sample  # without repetition
    assert set(values) <= set(range(stored))  # the new one is not among them
    assert len(store.kept) == min(stored + 1, 1000)
    assert 5000.0 in [k.item() for k in store.kept]


def test_store_rounds_shares_down_but_not_below_what_they_are():
    """0.29 * 100 is 28.999999999999996 in binary."""
    store = BatchStore(share=0.29)
    store.kept = [numbered(0)] * 100
    assert store.sample_size == 29


def test_store_with_everything_gives_each_old_batch_once():
    store = BatchStore(capacity=10, share=1.0)
    for n in range(10):
        new, *old = store.exchange(numbered(n, n + 0.5), draws(2, 2 * n))
        assert numbers(new) == [n, n + 0.5]
        assert sorted(numbers(torch.cat(old))) == [v / 2 for v in range(2 * n)] if n else old == []


def test_store_overwrites_a_random_batch_when_full():
    store = BatchStore(capacity=8, share=0.0)
    for n in range(8):
        store.exchange(numbered(n), draws(1, n))
    slots = set()
    for n in range(8, 200):
        before = [k.item() for k in store.kept]
        assert len(store.exchange(numbered(n), draws(1, n))) == 1
        changed = [i for i, (a, b) in enumerate(zip(before, store.kept, strict=True)) if a != b.item()]
        assert len(changed) == 1
        assert store.kept[changed[0]].item() == n
        slots.add(changed[0])
    assert slots == set(range(8))


def test_store_samples_every_batch_sooner_or_later():
    store = BatchStore(capacity=10, share=0.1)
    store.kept = [numbered(n).half() for n in range(10)]
    seen = set()
    for n in range(300):
        kept = list(store.kept)
        seen |= set(numbers(store.exchange(numbered(n + 100), draws(1, n))[1]))
        store.kept = kept
    assert seen == set(range(10))


def test_store_keeps_half_precision_copies_without_gradient():
    store = BatchStore(capacity=4, share=1.0)
    fakes = rand(2, 3, 4, 4).requires_grad_()
    (new,) = store.exchange(fakes, draws(2))
    assert not new.requires_grad
    assert torch.equal(new, fakes.detach())
    (kept,) = store.kept
    assert kept.dtype is torch.float16
    before = fakes.detach().clone()
    with torch.no_grad():
        fakes.fill_(0)
    _, old = store.exchange(rand(2, 3, 4, 4, seed=9), draws(2, 2))
    assert old.dtype is torch.float32
    assert_close(old, before.half())
    old.fill_(0)
    assert_close(kept, before.half())


def test_store_state_round_trip():
    store, again = (BatchStore(capacity=5, share=0.5) for _ in range(2))
    for n in range(7):
        store.exchange(rand(2, 3, 2, 2, seed=n), draws(2, 2 * n))
    again.load_state_dict(saved(store.state_dict()))
    for n in range(7, 10):
        a, b = (s.exchange(rand(2, 3, 2, 2, seed=n), draws(2, 2 * n)) for s in (store, again))
        assert len(a) == len(b) == 3
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", [ImagePool, BatchStore])
def test_a_smaller_capacity_holds_after_loading(kind):
    large, small = kind(capacity=6), kind(capacity=2)
    for n in range(6):
        large.exchange(numbered(n), draws(1, n))
    small.load_state_dict(large.state_dict())
    small.exchange(numbered(9), draws(1, 9))
    assert len(small.kept) <= 2


@pytest.mark.parametrize("kind", [ImagePool, BatchStore])
def test_replay_out_of_range_is_refused(kind):
    name = "probability" if kind is ImagePool else "share"
    with pytest.raises(ValueError, match=rf"capacity=0 must be at least 1, {name}=0\.\d+ between 0 and 1"):
        kind(capacity=0)
    for value in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=rf"capacity=\d+ must be at least 1, {name}={value} between 0 and 1"):
            kind(**{name: value})
