"""ImageNet weights for the feature networks of losses: found, downloaded, read and checked.

Names are torchvision's (``features.0.weight``), so its files and cut-down copies of them work as they are.
"""

import contextlib
import difflib
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit

import safetensors.torch
import torch
from torch import Tensor, nn

from sr.errors import UserError
from sr.pickles import unpickled
from sr.printable import first_line

FOLDER = "SR_WEIGHTS"
"""Environment variable that names a folder of weights."""
VggNet = Literal["vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]
Net = Literal[VggNet, "alexnet", "squeezenet1_1"]
"""The classifiers, by torchvision's names."""
IMAGENET, RANDOM = "imagenet", "random"
"""What ``weights`` may say instead of a file."""
_SITE = "https://download.pytorch.org/models"
URLS: dict[str, str] = {
    "vgg16": f"{_SITE}/vgg16-397923af.pth",
    "vgg16_bn": f"{_SITE}/vgg16_bn-6c64b313.pth",
    "vgg19": f"{_SITE}/vgg19-dcbb9e9d.pth",
    "vgg19_bn": f"{_SITE}/vgg19_bn-c79401a0.pth",
    "alexnet": f"{_SITE}/alexnet-owt-7be5be79.pth",
    "squeezenet1_1": f"{_SITE}/squeezenet1_1-b8a52dc0.pth",
}
"""Where torchvision publishes each network; the end of a name begins the file's SHA-256. Written out, as torchvision
takes seconds to import."""
NAMED = 3
"""How many faults a message names."""
FETCH_AGAIN = "delete it to have it downloaded again"
OTHER_FILE = "name another file"
"""What to do about a damaged file: one that was found or downloaded, and one that a setting names."""
_PREFIX = "features."


def found(net: str) -> Path | None:
    """The file of a network's ImageNet weights, if this machine has one; nothing is downloaded.

    Looks in the folder that the environment variable ``SR_WEIGHTS`` names, then where torch keeps its downloads: for
    torchvision's own file, then for ``NET_features.pth`` and ``NET_features.safetensors``, which need not hold the
    classifier (that of VGG is nine tenths of the file).
    """
    names = (Path(urlsplit(URLS[net]).path).name, f"{net}_features.pth", f"{net}_features.safetensors")
    return next((folder / name for folder in _folders() for name in names if (folder / name).is_file()), None)


def found_part(net: str, needed: Collection[str]) -> Path | None:
    """A file with the first layers of a network, ``NET_features_to_LAYER.pth``, that has all that is needed.

    Args:
        net: torchvision's name of the network.
        needed: names of tensors in its feature stack, such as ``7.weight``.
    """
    return next((path for path in _parts(net) if set(needed) <= set(_features(read_tensors(path)))), None)


def has_some(net: str) -> bool:
    """Whether this machine has any of a network's ImageNet weights, all or the first layers'."""
    return found(net) is not None or any(True for _ in _parts(net))


def _parts(net: str) -> Iterator[Path]:
    for folder in _folders():
        found_here = sorted(folder.glob(f"{net}_features_to_*"))
        yield from (path for path in found_here if path.suffix in (".pth", ".safetensors"))


def _folders() -> list[Path]:
    own = os.environ.get(FOLDER)
    return [*([Path(own).expanduser()] if own else []), _downloads()]


def fill(stack: nn.Sequential, names: Sequence[str], net: str, weights: str, fixed: bool = False) -> None:
    """Give every layer of a feature stack its weights.

    Args:
        stack: modules under torchvision's indices, cut after the deepest one needed.
        names: what users call each of them, for messages.
        net: torchvision's name of the network.
        weights: ``imagenet``, ``random`` (the same numbers every time, drawn apart from torch's generator), or a file.
        fixed: the layers are not the user's choice, so a message does not offer fewer.

    Raises:
        UserError: there is no such file and no network to download it; or it is damaged, lacks layers, or belongs to
            another network.
    """
    needed = stack.state_dict()
    if weights == RANDOM:
        _randomise(stack)
        return
    named = named_or_file("weights", weights, (IMAGENET, RANDOM))
    statistics = [key for key in needed if key.endswith("num_batches_tracked")]
    path = named or found(net) or found_part(net, needed.keys() - statistics) or _download(net)
    way_out = OTHER_FILE if named else FETCH_AGAIN
    tensors = _features(read_tensors(path, way_out))
    counters = {key: torch.zeros_like(needed[key]) for key in statistics}
    tensors = {**tensors, **counters}  # of the training of batch norm: old files lack them, and nothing here reads them
    _check_shapes(path, net, needed, tensors)
    _check_complete(path, net, needed, tensors, names, fixed)
    for key in needed:
        if not tensors[key].isfinite().all():
            raise UserError(f"{path} is damaged: {_PREFIX}{key} has values that are not finite; {way_out}")
    stack.load_state_dict({key: tensors[key] for key in needed})


def named_or_file(setting: str, value: str, keywords: Sequence[str]) -> Path | None:
    """The file that a setting names; None where it is one of its keywords.

    Args:
        setting: its name, for messages.
        value: what the user gave; ``~`` is the home folder.
        keywords: what it may say instead of a file.

    Raises:
        UserError: there is no such file; the message names the nearest keyword.
    """
    if value in keywords:
        return None
    path = Path(value).expanduser()
    if path.is_file():
        return path
    near = difflib.get_close_matches(value, keywords, 1)
    if near and not path.exists():
        raise UserError(f"{setting}={value} is no file; did you mean {near[0]}?")
    ways = ["the path of a file", *keywords]
    kind = "a folder" if path.is_dir() else "no file"
    raise UserError(f"{setting}={value} is {kind}; give {', '.join(ways[:-1])} or {ways[-1]}")


def read_tensors(path: Path, way_out: str = OTHER_FILE) -> dict[str, Tensor]:
    """The tensors of a PyTorch or safetensors file by name, on the CPU; runs no code from the file.

    Args:
        path: of a file that is there.
        way_out: what to do where it is damaged, for the message.

    Raises:
        UserError: the file is damaged, or holds no named tensors.
    """
    content: Any
    try:
        content = safetensors.torch.load_file(path) if path.suffix == ".safetensors" else unpickled(path)
    except Exception as error:  # many kinds for damaged files, from RuntimeError to UnpicklingError
        raise UserError(f"{path} is damaged or no file of weights ({first_line(error)}); {way_out}") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    named = {str(k): v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, dict) else {}
    if not named:
        raise UserError(f"{path} holds no weights by name but a {type(content).__name__}; {way_out}")
    return named


def bundled(package: str, place: str) -> Path:
    """A file that an installed package ships, without importing the package.

    Raises:
        UserError: this version of the package does not have it.
    """
    spec = find_spec(package)
    path = Path(spec.origin).parent / place if spec and spec.origin else Path(place)
    if not path.is_file():
        raise UserError(f"the installed {package} does not bring {place}; update it, or name such a file instead")
    return path


def _features(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of the feature stack by their names in it (``0.weight``)."""
    return {k.removeprefix(_PREFIX): v for k, v in tensors.items() if k.startswith(_PREFIX)} or tensors


def _download(net: str) -> Path:
    """Fetch torchvision's file into torch's folder of downloads, and check its hash."""
    url, folder = URLS[net], _downloads()
    name = Path(urlsplit(url).path).name
    try:
        with contextlib.redirect_stdout(sys.stderr):  # torch announces the download where results belong
            torch.hub.load_state_dict_from_url(
                url, str(folder), map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
    except (OSError, RuntimeError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the server's answer as well, and holds the connection
        raise UserError(
            f"the ImageNet weights of {net} are not on this machine, and their download failed "
            f"({first_line(error)}): put {url} as {name} into {folder} or into the folder that the environment "
            f"variable {FOLDER} names, or set weights=FILE, or weights=random for an untrained network"
        ) from error
    return folder / name


def _downloads() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _check_shapes(path: Path, net: str, needed: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    faults = [
        f"{_PREFIX}{key} is {list(tensors[key].shape)} instead of {list(value.shape)}"
        for key, value in needed.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    if faults:
        raise UserError(f"{path} holds another network than {net}: {_few(faults)}; give a file of {net}")


def _check_complete(
    path: Path, net: str, needed: dict[str, Tensor], tensors: dict[str, Tensor], names: Sequence[str], fixed: bool
) -> None:
    indices = sorted({int(key.split(".")[0]) for key in needed})
    lacking = sorted({int(key.split(".")[0]) for key in needed if key not in tensors})
    if not lacking:
        return
    reached = [names[index] for index in indices if index < lacking[0]]
    absent = _few([names[index] for index in lacking])
    if not reached:
        first = next(key for key in needed if key not in tensors)
        raise UserError(f"{path} holds no features of {net}: {_PREFIX}{first} is missing; give a file of {net}")
    way_out = f"give a file with all layers up to {names[-1]}"
    if not fixed:
        way_out = f"set layers=[{reached[-1]}] (or others up to it), or {way_out}"
    raise UserError(f"{path} lacks {absent} of {net}, it is complete up to {reached[-1]}; {way_out}")


def _randomise(stack: nn.Sequential) -> None:
    """He initialisation (He et al. 2015, arXiv 1502.01852), which keeps the size of the maps through ReLUs."""
    generator = torch.Generator().manual_seed(0)
    for module in stack.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


def _few(faults: Sequence[str]) -> str:
    more = len(faults) - NAMED
    return ", ".join(faults[:NAMED]) + (f" and {more} more" if more > 0 else "")
