"""Holding out pictures for validation: nothing on both sides, nothing lost, the same everywhere."""

import pytest

from sr.data.contract import PictureSource
from sr.data.kinds.split import Split, held_out
from sr.errors import UserError


class Named(PictureSource):
    def __init__(self, names):
        self.names = names

    def stamp(self):
        return str(self.names)

    def __len__(self):
        return len(self.names)

    def name(self, index):
        return self.names[index]

    def read(self, index):
        return self.names[index]


def names(split):
    return [split.name(i) for i in range(len(split))]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.99])
def test_every_picture_is_on_exactly_one_side(share):
    source = Named([f"/data/set/{i}.png" for i in range(40)])
    train, val = Split(source, "train", share), Split(source, "val", share)
    assert sorted(names(train) + names(val)) == sorted(source.names)
    assert len(val) == min(max(1, round(share * 40)), 39)
    assert [val.read(i) for i in range(len(val))] == names(val)
    assert train.stamp() != val.stamp()


def test_the_split_does_not_depend_on_place_or_order():
    here = Named([f"/here/set/{i}.png" for i in range(40)])
    there = Named([f"D:/there/set/{i}.png" for i in reversed(range(40))])
    short = [{name.rsplit("/", 1)[1] for name in names(Split(s, "val", 0.2))} for s in (here, there)]
    assert short[0] == short[1]


def test_by_folder_keeps_an_episode_together():
    source = Named([f"/film/ep{e:02d}/{i}.png" for e in range(5) for i in range(7)])
    val = Split(source, "val", 0.2, by="folder")
    assert len(val) == 7
    assert len({name.split("/")[2] for name in names(val)}) == 1


def test_share_zero_holds_nothing_out():
    source = Named(["a/1.png", "a/2.png"])
    assert len(Split(source, "train", 0)) == 2
    assert len(Split(source, "val", 0)) == 0


def test_one_group_cannot_be_split():
    with pytest.raises(UserError, match=r"there is only one folder \(ep01\), so none can be held out.*data\.val=DIR"):
        held_out(["ep01", "ep01"], 0.1, "folder")


def test_a_share_of_everything_is_refused():
    with pytest.raises(ValueError, match="val_share=1 must be at least 0 and below 1"):
        Split(Named(["a"]), "train", 1)


def test_what_is_held_out_does_not_depend_on_the_form_of_the_name():
    composed = [f"\u00fc{number}.png" for number in range(40)]
    apart = [f"u\u0308{number}.png" for number in range(40)]
    first, second = held_out(composed, 0.2), held_out(apart, 0.2)
    assert [name in first for name in composed] == [name in second for name in apart]
    both = held_out([*composed, *apart], 0.2)
    assert both == first | second
