"""`sr upscale` and videos: which files are videos, and what of an interrupted one is taken over."""

from dataclasses import replace

from sr.inference.enhance.enhancer import Settings
from sr.verbs.upscale import run
from sr.verbs.upscale.asked import How
from sr.verbs.upscale.jobs import Naming
from sr.verbs.upscale.run import Asked


def test_another_code_network_or_option_is_another_job(tmp_path, monkeypatch):
    asked, file = Asked(["a.mkv"], Naming(None, None, None)), tmp_path / "network"
    file.write_bytes(b"one")
    before = run._digest(asked, [file])
    assert run._digest(replace(asked, quality=3, enhance=Settings(dither=1)), [file]) == before  # told apart elsewhere
    for how in (How(ensemble=True), How(scale=3), How(colour="low")):
        assert run._digest(replace(asked, how=how), [file]) != before
    with monkeypatch.context() as patched:
        patched.setattr(run, "code_digest", lambda: "another")
        assert run._digest(asked, [file]) != before
    file.write_bytes(b"two")
    assert run._digest(asked, [file]) != before
