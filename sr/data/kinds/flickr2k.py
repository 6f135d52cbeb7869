"""Flickr2K: 2650 photographs of 2K resolution, the usual companion of DIV2K's training part.

R. Timofte et al., "NTIRE 2017 Challenge on Single Image Super-Resolution: Methods and Results", CVPR workshops 2017;
B. Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", 2017.
"""

from typing import Literal

from sr.data.fetch.download import Remote
from sr.data.kinds.listed import data_root
from sr.data.kinds.numbered import Block, Numbered, Side

Track = Literal["bicubic", "unknown"]

URL = "https://cv.snu.ac.kr/research/EDSR/Flickr2K.tar"
MD5 = "5d3f39443d5e9489bff8963f8f26cb03"  # torchsr/datasets/flickr2k.py
NUMBERS = range(1, 2651)
SCALES = (2, 3, 4)


class Flickr2k(Numbered):
    """All pictures of Flickr2K.

    Args:
        root: the data set's folder, or one that holds it; None takes ``SR_DATA``/Flickr2K. What is missing there is
            downloaded: one archive of about 20 GB with all tracks.
        side: ``hr``, or ``lr``: the twins of the chosen track.
        track: of the low-resolution pictures; None where a degradation makes them.
        scale: of the low-resolution pictures.
        download: whether to download what is missing.
        url: of the archive.
        verify: compare the published checksum; off for a mirror that packed it anew.

    Raises:
        ValueError: the track does not exist at this scale, or lr is asked for without a track.
        UserError: neither root nor SR_DATA is set.
    """

    def __init__(
        self,
        root: str | None = None,
        side: Side = "hr",
        track: Track | None = None,
        scale: int = 2,
        download: bool = True,
        url: str = URL,
        verify: bool = True,
    ) -> None:
        if side == "lr" and track is None:
            raise ValueError("side=lr needs a track: bicubic or unknown")
        if track is not None and track not in ("bicubic", "unknown"):
            raise ValueError(f"Flickr2K has no track={track}; it has bicubic and unknown")
        if track is not None and scale not in SCALES:
            raise ValueError(f"Flickr2K has no x{scale} of track={track}; it has x2, x3 and x4")
        base = data_root(root, "Flickr2K")
        remote = Remote(url, None, (MD5,) if verify else ())
        # The archive has a folder Flickr2K of its own, so that downloads go beside it.
        super().__init__(
            base,
            "Flickr2K",
            base.parent if base.name == "Flickr2K" else base,
            NUMBERS,
            Block("Flickr2K_HR", remote),
            None if track is None else Block(f"Flickr2K_LR_{track}/X{scale}", remote),
            scale,
            side,
            download,
        )


def flickr2k_lr(
    root: str | None = None,
    track: Track | None = None,
    scale: int = 2,
    download: bool = True,
    url: str = URL,
    verify: bool = True,
) -> Flickr2k | None:
    """The low-resolution twins of `Flickr2k` with the same settings; None without a track."""
    return None if track is None else Flickr2k(root, "lr", track, scale, download, url, verify)
