"""The public sets of CycleGAN: two sides that no picture connects, each with pictures to train on and to test.

J.-Y. Zhu, T. Park, P. Isola, A. Efros, "Unpaired image-to-image translation using cycle-consistent adversarial
networks", ICCV 2017, arXiv 1703.10593.
"""

from pathlib import Path
from typing import Literal

from sr.choices import check_choice
from sr.data.contract import OnMessage, OnProgress
from sr.data.fetch.download import Remote, fetch_archive
from sr.data.kinds.listed import Listed, data_root, pictures_in
from sr.errors import UserError

Part = Literal["train", "test"]
Side = Literal["a", "b"]
Name = Literal[
    "apple2orange",
    "summer2winter_yosemite",
    "horse2zebra",
    "monet2photo",
    "cezanne2photo",
    "ukiyoe2photo",
    "vangogh2photo",
    "maps",
    "cityscapes",
    "facades",
    "iphone2dslr_flower",
    "ae_photos",
]

URL = "https://people.eecs.berkeley.edu/~taesung_park/CycleGAN/datasets/"

# Sizes and SHA-256 sums: the table of TensorFlow Datasets (tensorflow_datasets/url_checksums/cycle_gan.txt), which
# lacks ae_photos; its MD5 is that of the repository pytorch_3T27T.
ARCHIVES: dict[Name, tuple[int | None, str]] = {
    "apple2orange": (78456409, "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8"),
    "summer2winter_yosemite": (132640856, "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9"),
    "horse2zebra": (116867962, "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1"),
    "monet2photo": (305231073, "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04"),
    "cezanne2photo": (279885071, "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff"),
    "ukiyoe2photo": (292946532, "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08"),
    "vangogh2photo": (306590349, "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff"),
    "maps": (1476754427, "639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e"),
    "cityscapes": (279601602, "d2f6910fd056c1ee9873777ae838e7ac4a2c833598ae62a04188e5ab2f4ea036"),
    "facades": (35135868, "9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0"),
    "iphone2dslr_flower": (339964458, "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113"),
    "ae_photos": (None, "93831625466b64eaeba58babc52d70f9"),
}
"""Bytes and checksum of NAME.zip."""


_FOLDERS = ("trainA", "trainB", "testA", "testB")


class CycleGanSet(Listed):
    """One side of one part of a set: the folders trainA, trainB, testA and testB.

    Args:
        name: of the set.
        part: ``train`` or ``test``.
        side: ``a`` or ``b``.
        root: the set's folder, or one that holds it; None takes ``SR_DATA``/cyclegan. What is missing is downloaded.
        download: whether to download what is missing.
        url: where the archives are.
        verify: compare the checksum; off for a mirror that packed them anew.

    Raises:
        ValueError: a name, part or side that does not exist.
        UserError: neither root nor SR_DATA is set.
    """

    def __init__(
        self,
        name: Name,
        part: Part,
        side: Side,
        root: str | None = None,
        download: bool = True,
        url: str = URL,
        verify: bool = True,
    ) -> None:
        super().__init__()
        for what, given, choices in (("name", name, Name), ("part", part, Part), ("side", side, Side)):
            check_choice(what, given, choices)
        base = data_root(root, "cyclegan")
        self.below = f"{part}{side.upper()}"
        self.own = base.name != name and any((base / folder).is_dir() for folder in _FOLDERS)
        """The folder is a set of the user's: not all of its parts need be there, and none can be downloaded."""
        self.folder = base if self.own or base.name == name else base / name
        size, checksum = ARCHIVES[name]
        self.remote = Remote(f"{url.rstrip('/')}/{name}.zip", size if verify else None, (checksum,) if verify else ())
        self.download = download

    def found(self, on_progress: OnProgress, on_message: OnMessage) -> list[Path]:
        """The pictures; downloads the set where the folder has none."""
        place = self.folder / self.below
        if self.own and not pictures_in(place):
            raise UserError(
                f"there are no pictures in {place}, and {self.folder} is a set of your own, of which nothing can be "
                "downloaded; put some there, or give two folders with data=unpaired data.a=DIR data.b=DIR"
            )
        if not pictures_in(place):
            above = self.folder.parent
            if not self.download and not (above / self.remote.name).exists():
                raise UserError(
                    f"there are no pictures in {place}; copy the set to {self.folder}, name another folder with "
                    "data.root=DIR, or set data.download=true"
                )
            fetch_archive(self.remote, above, lambda: bool(pictures_in(place)), on_progress, on_message)
        paths = pictures_in(place)
        if not paths:
            raise UserError(f"{self.remote.name} is unpacked, but {place} holds no pictures; is it the right one?")
        return paths
