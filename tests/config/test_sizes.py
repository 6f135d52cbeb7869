"""A size that nothing reads is told."""

import pytest

from sr.config.folder import CONF
from sr.config.sizes import unread_size


@pytest.mark.parametrize(
    "arguments", [["size=smoke", "experiment=log/31_alias"], ["size=full", "model=rdn"], ["size=mini", "resume=x"], []]
)
def test_one_that_is_read_is_not_told(arguments):
    assert unread_size([CONF], arguments) is None


@pytest.mark.parametrize(
    "arguments", [["size=smoke"], ["size=mini", "model=rdn"], ["size=smoke", "experiment=photos_5min"]]
)
def test_one_that_nothing_reads_is(arguments):
    assert f"{arguments[0]} changes nothing here: the numbers of a size" in str(unread_size([CONF], arguments))


def test_the_user_is_told(train):
    code, out, err = train("size=smoke", "trainer.max_updates=1", "data.val=null")
    assert code == 0, err
    assert "size=smoke changes nothing here" in out
