"""The file of claims: read, and its faults told with their place."""

import pytest

from sr.errors import UserError
from sr.experiments.claims import Term, read_claims

ENTRIES = ("log/29_edge", "log/30_alias_transpose", "log/31_alias")
MEASURES = ("psnr_rgb", "checkerboard")
SHORT = {name: name for name in ENTRIES} | {"log/29": "log/29_edge"}
GOOD = """
log/31_alias:
  - claim: psnr
    says: PSNR rises
      by a dB or more
    holds_if: log/31_alias.target.psnr_rgb - log/29_edge.target.psnr_rgb > 1
    margin: 0.2
    why: seeds differ by 0.1
  - claim: size
    says: by 4 dB
    untestable: the log's validation changed
log/30_alias_transpose:
  - claim: explodes
    says: it explodes
    holds_if: explodes log/30_alias_transpose
"""


def read(tmp_path, text):
    (tmp_path / "claims.yaml").write_text(text)
    return read_claims(tmp_path / "claims.yaml", ENTRIES, MEASURES, SHORT.get)


def test_claims_are_read(tmp_path):
    psnr, size, explodes = read(tmp_path, GOOD)
    assert psnr.left == (
        Term(1.0, "log/31_alias", "target.psnr_rgb"),
        Term(-1.0, "log/29_edge", "target.psnr_rgb"),
        Term(-1.0),
    )
    assert (psnr.relation, psnr.margin, psnr.says) == (">", 0.2, "PSNR rises by a dB or more")
    assert psnr.entries == ("log/31_alias", "log/29_edge")
    assert size.untestable == "the log's validation changed"
    assert explodes.explodes == "log/30_alias_transpose"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("log/29_edge.target", "log/29_edgy.target", "there is no experiment log/29_edgy; did you mean log/29_edge"),
        ("log/31_alias:", "log/31_aliased:", "there is no experiment log/31_aliased; did you mean log/31_alias"),
        ("target.psnr_rgb >", "target.psnr_rgv >", "target.psnr_rgv is no measure; did you mean psnr_rgb"),
        ("target.psnr_rgb > 1", "target.psnr_rgb 1", "must compare two sides by one of < > ="),
        ("> 1", "> ", "a side of the comparison is empty"),
        ("> 1", "> some", "'some' is neither a number nor ENTRY.SET.METRIC"),
        ("margin: 0.2", "margin: 0", "margin=0 must be a number above 0, with the reason (why)"),
        ("margin: 0.2", "margin: true", "margin=True must be a number above 0"),
        ("    why: seeds differ by 0.1\n", "", "with the reason (why)"),
        ("margin", "margins", "margins is not known; a claim has claim, holds_if, margin"),
        ("    untestable: the log's validation changed\n", "", "a claim needs one of holds_if and untestable"),
        ("claim: size\n    says: by 4 dB", "claim: psnr\n    says: twice", "log/31_alias, claim psnr is there twice"),
        ("log/31_alias:\n", "log/31_alias: [5]\nlog/29_edge:\n", "5 must be a mapping"),
    ],
)  # fmt: skip
def test_faults_name_their_place(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(UserError) as error:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("text", ["a: [", "- 1", "\0"])
def test_a_file_that_is_no_such_thing(tmp_path, text):
    with pytest.raises(UserError, match=r"claims.yaml (cannot be read|must map)"):
        read(tmp_path, text)


def test_short_names_are_written_out(tmp_path):
    psnr, *_ = read(tmp_path, GOOD.replace("log/29_edge.", "log/29."))
    assert psnr.entries == ("log/31_alias", "log/29_edge")
    assert "log/29." in psnr.text


def test_every_fault_at_once(tmp_path):
    with pytest.raises(UserError) as error:
        read(tmp_path, GOOD.replace("log/29_edge.", "log/2_edge.").replace("margin: 0.2", "margin: -1"))
    assert "margin=-1" in str(error.value)
