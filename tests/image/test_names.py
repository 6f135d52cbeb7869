"""Names on other machines."""

from pathlib import PurePosixPath as Path

import pytest

from sr.image.names import as_one, distinct, names_as, order, told_apart

COMPOSED, TAKEN_APART = "\u00dcber.png", "U\u0308ber.png"


@pytest.mark.parametrize(
    ("places", "wanted"),
    [
        (["a.jpg", "b.png"], ["a.png", "b.png"]),
        (["a.jpg", "a.png"], ["a.jpg.png", "a.png"]),
        (["a.jpg", "a.webp"], ["a.jpg.png", "a.webp.png"]),
        (["a.jpg", "a.png", "a.jpg.png"], ["a.jpg_2.png", "a.png", "a.jpg.png"]),
        (["a.png", "A.png"], ["a_2.png", "A.png"]),
        (["a.JPG", "A.jpg"], ["a.JPG_2.png", "A.jpg.png"]),
        (["x/a.jpg", "X/a.png"], ["x/a.jpg.png", "X/a.png"]),
        ([TAKEN_APART, COMPOSED], ["U\u0308ber.png", "\u00dcber_2.png"]),
    ],
)
def test_every_picture_gets_a_name_of_its_own(places, wanted):
    found = [name.as_posix() for name in names_as([Path(place) for place in places])]
    assert found == wanted
    assert len({as_one(name) for name in found}) == len(places)
    backwards = names_as([Path(place) for place in reversed(places)])
    assert [name.as_posix() for name in reversed(backwards)] == wanted


def test_order_does_not_depend_on_the_form():
    names = ["V.png", COMPOSED, "Z.png", "U.png"]
    other = ["V.png", TAKEN_APART, "Z.png", "U.png"]
    first, second = (sorted(map(Path, given), key=order) for given in (names, other))
    assert [as_one(path.name) for path in first] == [as_one(path.name) for path in second]


def test_names_that_look_the_same_are_told_apart():
    assert told_apart(COMPOSED, "b.png") == COMPOSED
    assert told_apart(COMPOSED, TAKEN_APART) == "'\\xdcber.png'"
    assert told_apart(TAKEN_APART, COMPOSED) == "'U\\u0308ber.png'"


def test_stems_are_numbered_until_they_are_free():
    assert distinct(["a", "a_2", "A", "a", "b"], ".png") == ["a.png", "a_2.png", "A_3.png", "a_4.png", "b.png"]
    assert distinct(["a", "a", "a_2"]) == ["a", "a_3", "a_2"]
    assert distinct([]) == []
