"""What the miniature world is made of: every number in one place, frozen, with the key of its folder."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sr.choices import check_choice
from sr.data.kinds.sources import Folder

VERSION = 2
"""Raise when the same settings give other pictures, so that older worlds are not taken for current."""

Kernels = Literal["estimated", "hidden"]

FRAME = (480 / 540, 712 / 960)
"""Rows and columns of a frame of the target, as shares of the low resolution that networks see.

The target has 712x480 pixels where the reference has 1920x1080 (experiment log, AR/ES1080), and networks see its
frames enlarged to 960x540.
"""


@dataclass(frozen=True)
class Release:
    """How a release of the target came about: what is hidden from those who train.

    Attributes:
        sigmas: standard deviations of the blur kernel along its long and its short axis, in pixels of the picture that
            is then halved into a frame.
        angle: of the long axis, degrees from the horizontal towards the bottom.
        grain: standard deviation of the film grain in 8-bit levels.
        softness: standard deviation of the Gaussian that grain is filtered with, in pixels of the frame: neighbouring
            pixels get alike.
        quality: of JPEG (4:2:0), which stands for the video codec: blocks, ringing, coarse colours.
    """

    sigmas: tuple[float, float]
    angle: float
    grain: float
    softness: float
    quality: int


RELEASES = {
    "soultaker": Release(sigmas=(1.1, 0.8), angle=25.0, grain=3.0, softness=0.6, quality=92),
    "aniboters": Release(sigmas=(1.5, 1.1), angle=-40.0, grain=1.0, softness=0.7, quality=96),
}
"""The noisy and sharp one of runs #16 to #24, and the cleaner and slightly softer one from #25 on."""


@dataclass(frozen=True)
class WorldSettings:
    """A world.

    Attributes:
        height: rows of a high-resolution frame; 270 is a quarter of the log's 1080.
        width: columns.
        reference_frames: of the larger reference, ``anime_4000``.
        few_frames: of the smaller one, ``anime_1000``: its first ones.
        episode_frames: in each of its episodes, which share their colours.
        target_frames: of each release of the target.
        foreign_frames: of the foreign reference, which stands for DIV2K.
        val_pictures: in each validation set; none of them is in anything that is trained on.
        lines: strokes of a reference frame.
        thickness: of the reference's lines; 1 is 1 to 3 pixels for most. The target's are two thirds of it.
        texture: standard deviation of the textures, in levels.
        kernels: ``estimated`` by KernelGAN from frames, or ``hidden``: the true ones, for tests.
        kernel_frames: of each release whose kernel is estimated.
        kernel_updates: of KernelGAN for each.
        seed: another seed, another world.
        reference: folder of frames of a real reference, instead of drawing one.
        target_video: folder of frames of a real target, of which no clean originals are known.
        foreign: folder of photographs, instead of drawn ones.

    Raises:
        ValueError: a number that makes no sense.
    """

    height: int = 270
    width: int = 480
    reference_frames: int = 96
    few_frames: int = 24
    episode_frames: int = 8
    target_frames: int = 48
    foreign_frames: int = 48
    val_pictures: int = 6
    lines: int = 24
    thickness: float = 1.5
    texture: float = 12.0
    kernels: Kernels = "estimated"
    kernel_frames: int = 6
    kernel_updates: int = 1000
    seed: int = 0
    reference: str | None = None
    target_video: str | None = None
    foreign: str | None = None

    def __post_init__(self) -> None:
        check_choice("kernels", self.kernels, Kernels)
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name}={value} must be at least {least}")
        if self.few_frames > self.reference_frames:
            raise ValueError(
                f"few_frames={self.few_frames} is how many of the reference_frames={self.reference_frames} the smaller "
                f"reference has; give {self.reference_frames} at most"
            )
        if self.kernel_frames > self.target_frames:
            raise ValueError(
                f"kernel_frames={self.kernel_frames} of target_frames={self.target_frames} cannot be taken; "
                f"give {self.target_frames} at most"
            )
        if self.height % 2 or self.width % 2:
            raise ValueError(f"a frame of {self.width}x{self.height} cannot be halved; give even height and width")

    @property
    def drawn_target(self) -> bool:
        """The target is drawn, so that its clean originals are known."""
        return self.target_video is None

    def facts(self) -> dict[str, Any]:
        """Everything that the world's files depend on, as plain values: also what lies in the folders given."""
        plain = asdict(self)
        for name in ("reference", "target_video", "foreign"):
            if plain[name] is not None:
                plain[name] = f"{plain[name]} {Folder(plain[name]).stamp()}"
        return {"version": VERSION, **plain, "releases": {name: asdict(release) for name, release in RELEASES.items()}}

    @property
    def key(self) -> str:
        """Sixteen letters that stand for `facts`.

        Raises:
            UserError: a folder of real pictures is missing or empty.
        """
        return hashlib.blake2b(json.dumps(self.facts(), sort_keys=True).encode(), digest_size=8).hexdigest()


_LEAST = {
    "height": 96,
    "width": 96,
    "reference_frames": 1,
    "few_frames": 1,
    "episode_frames": 1,
    "target_frames": 1,
    "foreign_frames": 1,
    "val_pictures": 1,
    "lines": 1,
    "texture": 0,
    "kernel_frames": 1,
    "kernel_updates": 1,
    "seed": 0,
}
