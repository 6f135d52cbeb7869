"""How pictures are cut: exactly where memory and patience allow, and never into more than memory holds."""

import re

import pytest

from sr.errors import UserError
from sr.inference.memory import Memory
from sr.inference.planning import CUT, DEAR, MARGIN, NORMALISED, WHOLE, Plan, Work, exact_plan, plan
from sr.inference.reach import Reach
from sr.inference.tiles import spans

RRDB = 24960.0, Reach(349, 1)  # bytes per pixel and reach of RRDBNet x4 with 23 blocks
PHOTO = 1500, 2000


def memory(gib):
    return Memory(min(768 * 2**20, gib * 2**28), 0.7 * gib * 2**30)


def planned(gib, workers=16, size=PHOTO, network=RRDB, asked=None):
    return plan(Work(size, 4, network[0], workers), network[1], memory(gib), asked)


@pytest.mark.parametrize("gib", [2, 8, 22, 64, 256])
@pytest.mark.parametrize("workers", [1, 2, 16])
@pytest.mark.parametrize("network", [RRDB, (5000.0, Reach(140, 1)), (16000.0, Reach(70, 1)), (1500.0, Reach(20, 8))])
def test_windows_fit_into_memory_and_are_not_all_border(gib, workers, network):
    found = planned(gib, workers, network=network)
    assert found.workers <= workers
    rows, columns = (spans(length, found.side, *found.reach) for length in PHOTO)
    high, wide = (max(span.high - span.low for span in some) for some in (rows, columns))
    assert min(found.workers, len(columns)) * network[0] * high * wide <= 0.7 * gib * 2**30
    read = sum(span.high - span.low for span in rows) * sum(span.high - span.low for span in columns)
    assert read <= 8 * PHOTO[0] * PHOTO[1]


@pytest.mark.parametrize(
    ("gib", "reach", "said"),
    [(8, MARGIN, CUT), (64, RRDB[1], "pixels far: tiles compute 5.7 times"), (256, RRDB[1], None)],
)
def test_networks_that_look_far_are_exact_where_that_is_bearable(gib, reach, said):
    found = planned(gib)
    assert found.reach == reach
    assert found.said is said or said in found.said


def test_a_side_that_is_asked_for():
    assert planned(64, asked=256)[:2] == (256, RRDB[1])
    assert re.search(
        r"^the network looks 349 pixels far: tiles compute \d+ times .*; " + DEAR, planned(64, asked=256).said
    )
    assert planned(64, asked=64, network=(1500.0, Reach(14, 1))) == Plan(64, Reach(14, 1), 16)
    assert planned(64, asked=256, size=(200, 200))[:2] == (256, RRDB[1])  # one tile is the whole


def test_exact_whatever_it_takes():
    for gib in (2, 22):
        found = exact_plan(Work(PHOTO, 4, RRDB[0], 16), RRDB[1], memory(gib))
        assert found.reach == RRDB[1]
        assert found.workers == 1
    assert exact_plan(Work(PHOTO, 4, 9e9, 16), None, memory(2)) == Plan(2000, None, 16, WHOLE)


def test_a_global_network_is_cut_where_memory_is_short_or_a_side_is_asked_for():
    assert planned(64, size=(300, 400), network=(20000.0, None)) == Plan(400, None, 16, WHOLE)
    assert planned(64, size=(300, 400), network=(20000.0, None), asked=400).said == WHOLE
    for found in (planned(2, network=(20000.0, None)), planned(64, network=(20000.0, None), asked=64)):
        assert found.reach == MARGIN
        assert found.said == CUT
    assert planned(2, network=(20000.0, None), asked=4000).side < 1000


def test_a_network_that_takes_means_over_the_picture_is_cut_only_where_a_side_is_asked_for():
    def found(gib, asked=None):
        return plan(Work((3000, 4000), 1, 1571.0, 2, normalised=True), None, memory(gib), asked)

    assert found(64) == Plan(4000, None, 2)
    with pytest.raises(UserError, match=r"4000x3000 takes 17\.6 GiB as a whole, and 11\.2 are free; .* --tile 1024"):
        found(16)
    assert found(16, asked=1024) == Plan(1024, MARGIN, 2, NORMALISED)
