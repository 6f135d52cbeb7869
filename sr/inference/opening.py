"""Open a network from a file of ours or of other programs; nothing in the file is ever run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from safetensors import SafetensorError
from torch import Tensor, nn

from sr.errors import UserError
from sr.models.compact import Compact
from sr.models.edsr import Edsr, from_authors_names
from sr.models.feature_net import FeatureNet, as_target
from sr.models.files import FORMAT, NetworkInfo, check_finite, load_network, opened_tensors, rebuilt
from sr.models.fitting import few_names
from sr.models.imdn import Imdn
from sr.models.msrresnet import MsrResNet
from sr.models.published import Arguments
from sr.models.rrdb import RrdbNet
from sr.models.span import Span
from sr.models.spandrel import MissingError, converted
from sr.models.srresnet import SrResNet
from sr.models.translators import Side, generator_to, is_translator
from sr.models.weights import named_weights, read_weights, with_counters, without_prefix
from sr.pickles import PICKLED
from sr.printable import printable

PUBLISHED = (Compact, RrdbNet, MsrResNet, Edsr, SrResNet, Imdn, Span)
"""Networks of ours with the names under which their authors publish weights."""


def open_network(path: Path | str, trust: bool = False, to: Side | None = None) -> tuple[nn.Module, NetworkInfo]:
    """Open a network to use it: of this toolkit, of those in `PUBLISHED`, or any other that spandrel knows.

    Args:
        path: best.safetensors of a run, or a .pth, .pt, .ckpt or .safetensors of another program.
        trust: of a file of this toolkit: a network from outside it may be imported.
        to: the side whose pictures are wanted, of a network that translates; None for one that enlarges.

    Returns:
        The network, or the generator to that side, float32 on the CPU in eval mode, with a ``scale``; and what it is.
        Its ``config`` builds the same network again, so that it can be saved as a file of this toolkit.

    Raises:
        UserError: there is no such file, it is damaged, holds code, is larger than it says, or no network known here;
            a weight is not finite; or it translates, and none of its sides is asked for, or the other way round.
    """
    if to is not None and to not in get_args(Side):
        raise UserError(f"to={to!r} is no side of a translation; give 'a' or 'b'")
    network, info = _opened(Path(path), trust)
    if isinstance(network, FeatureNet):
        run = info.path.parent  # whose last network is taken, the one that has learnt longest
        line = as_target(info, run if (run / "last.safetensors").is_file() else info.path)
        raise UserError(
            f"{printable(path)} is a feature net, whose picture is plain bicubic; it is a target for training: {line}"
        )
    check_finite(info.path, network.state_dict())
    if to is None and is_translator(network):
        raise UserError(
            f"{printable(path)} translates pictures between two sides and enlarges none; use it by sr translate IN -o "
            "OUT --model FILE --to b (or a), or by sr export FILE --to b -o OUT; from Python by sr.load(FILE, to='b')"
        )
    if to is not None and not is_translator(network):
        raise UserError(
            f"{printable(path)} is {type(network).__name__} x{info.scale}, which does not translate between two "
            "sides; use it by sr upscale IN -o OUT --model FILE, or give a run of experiment=cyclegan/…"
        )
    return network if to is None else generator_to(network, to), info


def _opened(path: Path, trust: bool) -> tuple[nn.Module, NetworkInfo]:
    if is_ours(path):
        return load_network(path, trust)
    tensors = read_weights(path)
    faults: list[UserError] = []
    for config, weights in _descriptions(path, tensors, faults):
        info = NetworkInfo(path, config, config["scale"], {})
        try:
            return rebuilt(info, weights), info
        except UserError as fault:  # a variant of ours that another program knows
            faults.append(fault)
    raise faults[0]


def namings(path: Path) -> Iterator[Mapping[str, Tensor]]:
    """The weights of a file by the names that it has, then by those that networks here have for them.

    Args:
        path: of a file of any program.

    Raises:
        UserError: it cannot be read.
    """
    named = named_weights(path)
    yield with_counters(named)  # a network may have its layers in a part that is called as wrappers call it
    tensors = without_prefix(named)
    if tensors.keys() != named.keys():
        yield with_counters(tensors)
    for _, weights in _descriptions(path, tensors, []):
        yield weights


def described(path: Path) -> Iterator[tuple[Arguments, Mapping[str, Tensor]]]:
    """What the weights of another program's file may be: ``_target_`` and arguments, and the weights by its names.

    Args:
        path: the file.

    Raises:
        UserError: it cannot be read.
    """
    return _descriptions(path, read_weights(path), [])


def is_ours(path: Path) -> bool:
    """Whether `load_network` has the word: ours, or no safetensors file at all, which it says best."""
    if path.suffix.lower() in PICKLED:
        return False
    try:
        with opened_tensors(path) as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError):
        return True
    return str(metadata.get("format", "")).partition("/")[0] == FORMAT.partition("/")[0]


def _descriptions(
    path: Path, tensors: Mapping[str, Tensor], faults: list[UserError]
) -> Iterator[tuple[Arguments, Mapping[str, Tensor]]]:
    """What the weights may be, with the weights by that network's names: of ours, then of spandrel.

    Args:
        path: their file.
        tensors: as they are there.
        faults: receives why there was nothing.
    """
    named = with_counters(from_authors_names(tensors) or tensors)
    for network in PUBLISHED:
        try:
            arguments = network.described_by(named)
        except (LookupError, ValueError, ArithmeticError):  # names as of that network, and shapes as of none
            continue
        if arguments is not None:
            yield {"_target_": f"{network.__module__}.{network.__qualname__}", **arguments}, named
    try:
        yield converted(path, tensors)
    except MissingError as error:
        faults.append(UserError(f"{_unknown(path, tensors)}; {error}"))
    except UserError as error:
        faults.append(UserError(f"{_unknown(path, tensors)}, nor to spandrel ({error})"))


def _unknown(path: Path, tensors: Mapping[str, Tensor]) -> str:
    return f"{printable(path)} holds the weights of no network that is known here ({few_names(tensors)})"
