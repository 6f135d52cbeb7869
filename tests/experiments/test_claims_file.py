"""conf/claims.yaml: without faults, with claims for every entry of the log, before any run."""

import re

from sr.config.folder import CONF, config_groups
from sr.verbs.log.asked import CLAIMS, all_claims


def test_every_entry_of_the_log_has_claims():
    claims = all_claims()
    entries = {name for name in config_groups(CONF)["experiment"] if re.match(r"log/\d", name)}
    assert len(entries) == 35
    assert {claim.entry for claim in claims if claim.entry.startswith("log/")} == entries


def test_what_is_compared_is_not_compared_with_itself():
    for claim in all_claims():
        sides = [
            {(t.entry, t.measure) for t in claim.left if t.entry and (t.factor > 0) == first} for first in (True, False)
        ]
        assert not sides[0] & sides[1], claim


def test_no_text_is_cut_off_at_a_hash():
    plain = re.findall(r"^ +(?:- )?\w+: ([^\"'{>|].*)$", CLAIMS.read_text(), re.MULTILINE)
    assert len(plain) > 200
    assert [text for text in plain if " #" in text] == []  # there YAML's comment begins
    assert any(claim.says == "the same, beside #01 trained on for as many updates" for claim in all_claims())
