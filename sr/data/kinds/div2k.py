"""DIV2K: 800 training and 100 validation photographs of 2K resolution, with low-resolution tracks.

E. Agustsson, R. Timofte, "NTIRE 2017 Challenge on Single Image Super-Resolution: Dataset and Study", CVPR workshops
2017. For academic research only.
"""

from typing import Literal, get_args

from sr.data.fetch.download import Remote
from sr.data.kinds.listed import data_root
from sr.data.kinds.numbered import Block, Numbered, Side, Variants

Part = Literal["train", "valid"]
Track = Literal["bicubic", "unknown", "mild", "wild", "difficult"]

URL = "https://data.vision.ee.ethz.ch/cvl/DIV2K/"
NUMBERS = {"train": range(1, 801), "valid": range(801, 901)}
SCALES = {"bicubic": (2, 3, 4, 8), "unknown": (2, 3, 4), "mild": (4,), "wild": (4,), "difficult": (4,)}
"""Scales of each track: NTIRE 2017 (bicubic, unknown), NTIRE 2018 (x8, mild, wild, difficult)."""

# Sizes and SHA-256 sums: the table of TensorFlow Datasets (tensorflow_datasets/datasets/div2k/checksums.tsv). Of
# train_LR_unknown_X4 two versions are about; the second sum is that of the copy in goodfellowliu/DIV2K on Hugging
# Face, the third torchsr's MD5.
ARCHIVES: dict[str, tuple[int | None, tuple[str, ...]]] = {
    "train_HR": (3530603713, ("9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",)),
    "train_LR_bicubic_X2": (925390592, ("a53a424317575838dadce4bcd97cf7b744d6855f43740ed5f0245af3cf4bd850",)),
    "train_LR_bicubic_X3": (427847282, ("ad5c8e5507e2765823d3c2c5bd0934842efcd487c5370604c224090898b3163a",)),
    "train_LR_bicubic_X4": (246914039, ("f006b837f4eb52b82909aa01478e6d6d199eefce932179491d0c9dbb706dde3a",)),
    "train_LR_difficult": (263211252, ("50624a649a0857fdb8e4a948e79c44c37dedbacb5729f9349cc983c47bfdf799",)),
    "train_LR_mild": (275693358, ("ce5fbe6252d1000c55656b0666dccdeaf8e66b86ae5ff528c49343012e8e1391",)),
    "train_LR_unknown_X2": (734182735, ("f166eeba119fc55bfc9a99c05561980e7a965382f36640ce8ef626c9f61d122c",)),
    "train_LR_unknown_X3": (377245548, ("b6455af3b2aa02d76ae3238c49d7aae3b48b0acdc44b5bdc0f4c02d40ebcb43b",)),
    "train_LR_unknown_X4": (
        None,
        (
            "d131c7aad51e0abbdc4433362ce899e5e75f40b9847ead70ee995188e8fd0adb",
            "c3ec6730351bc88c8f0aac26c3b92daf129f6a28ff504b4dd007b04063a6b18c",
            "e3c7febb1b3f78bd30f9ba15fe8e3956",
        ),
    ),
    "train_LR_wild": (1079873385, ("ce68f7db812d12241212bb9d6b07406472bef3d785c463238888b44189c5ceb3",)),
    "train_LR_x8": (65753171, ("706fa23164fa0756a3accb78e69b937ea47f882b47e13506895deefd623a35c2",)),
    "valid_HR": (448993893, ("20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",)),
    "valid_LR_bicubic_X2": (117763600, ("60eed9875c697df51204aa579e2a699e1d5215095788a097ff54dd17e2664d57",)),
    "valid_LR_bicubic_X3": (54513392, ("04b9a2ed3b4a0715d3924d3ae8514830c3328fac8d30512ce716d6f419e052a3",)),
    "valid_LR_bicubic_X4": (31505881, ("a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553",)),
    "valid_LR_difficult": (33596835, ("08b4e740496b50846497463121329c707dd8ed26eb8a655d175e9a595286d5e8",)),
    "valid_LR_mild": (35300939, ("eedfbcb6acc6662a3f52924aaa5a423693244f3276d37c3fca7944c7325859ff",)),
    "valid_LR_unknown_X2": (93433041, ("ec50bb084c0011130874efd2ed7859b46e0aa7104c565818d5271ac315e04e0a",)),
    "valid_LR_unknown_X3": (48143315, ("ebf23a3e1ef6800cae97285d3a50d022d89b62655e685884c0abcc89eec5b809",)),
    "valid_LR_unknown_X4": (26695095, ("e3897555a98de1157c20974fb6093105fbc1ff5e9caf7bd348f58f6da140fbef",)),
    "valid_LR_wild": (34655417, ("ce921d2048eef3e1fd9ba359d1876b1c93e33bd7a531306f7782672391df9820",)),
    "valid_LR_x8": (8428103, ("3432f23da7c6887acc5e2cde9669427a7710b3b256c58912dddc19e3eda5bc69",)),
}
"""Bytes and accepted checksums by archive name without ``DIV2K_`` and ``.zip``."""


class Div2k(Numbered):
    """One part of DIV2K.

    Args:
        part: ``train`` (0001 to 0800) or ``valid`` (0801 to 0900).
        root: the data set's folder, or one that holds it; None takes ``SR_DATA``/DIV2K. What is missing there is
            downloaded.
        side: ``hr``, or ``lr``: the twins of the chosen track.
        track: of the low-resolution pictures; None where a degradation makes them.
        scale: of the low-resolution pictures.
        variants: the track wild has four LR pictures per HR picture of the training part: ``all`` repeats the HR
            picture (26 GB decoded instead of 7), ``one`` takes each HR picture once, with one of the four.
        download: whether to download what is missing.
        url: where the archives are.
        verify: compare the published checksums; off for a mirror that packed them anew.

    Raises:
        ValueError: the track does not exist at this scale, or lr is asked for without a track.
        UserError: neither root nor SR_DATA is set.
    """

    def __init__(
        self,
        part: Part,
        root: str | None = None,
        side: Side = "hr",
        track: Track | None = None,
        scale: int = 2,
        variants: Variants = "all",
        download: bool = True,
        url: str = URL,
        verify: bool = True,
    ) -> None:
        if part not in NUMBERS:
            raise ValueError(f"part={part} is not one of {', '.join(NUMBERS)}")
        if side == "lr" and track is None:
            raise ValueError(f"side=lr needs a track: one of {', '.join(get_args(Track))}")
        base = data_root(root, "DIV2K")
        inner = base / "DIV2K"
        super().__init__(
            base,
            "DIV2K",
            inner if inner.is_dir() else base,
            NUMBERS[part],
            _block(f"DIV2K_{part}_HR", f"{part}_HR", url, verify),
            None if track is None else _lr_block(part, track, scale, url, verify),
            scale,
            side,
            download,
            variants,
        )


def div2k_lr(
    part: Part,
    root: str | None = None,
    track: Track | None = None,
    scale: int = 2,
    variants: Variants = "all",
    download: bool = True,
    url: str = URL,
    verify: bool = True,
) -> Div2k | None:
    """The low-resolution twins of `Div2k` with the same settings; None without a track."""
    return None if track is None else Div2k(part, root, "lr", track, scale, variants, download, url, verify)


def _lr_block(part: Part, track: Track, scale: int, url: str, verify: bool) -> Block:
    if track not in SCALES:
        raise ValueError(f"track={track} is not one of {', '.join(SCALES)}, or null for pictures by the degradation")
    if scale not in SCALES[track]:
        scales = " and ".join(f"x{s}" for s in SCALES[track])
        raise ValueError(f"DIV2K has no x{scale} of track={track}; it has {scales}: set scale={SCALES[track][0]}")
    if scale == 8:
        return _block(f"DIV2K_{part}_LR_x8", f"{part}_LR_x8", url, verify)
    if track in ("bicubic", "unknown"):
        below = f"DIV2K_{part}_LR_{track}/X{scale}"
        return _block(below, f"{part}_LR_{track}_X{scale}", url, verify)
    return _block(f"DIV2K_{part}_LR_{track}", f"{part}_LR_{track}", url, verify)


def _block(below: str, archive: str, url: str, verify: bool) -> Block:
    size, checksums = ARCHIVES[archive] if verify else (None, ())
    return Block(below, Remote(f"{url.rstrip('/')}/DIV2K_{archive}.zip", size, checksums))
