"""Networks of spandrel, the library by which chaiNNer and ComfyUI open files, to use and to train."""

import difflib
import inspect
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, get_args

from torch import Tensor, nn

from sr.errors import UserError
from sr.models.exact import ExactConv2d
from sr.models.files import bounded
from sr.models.padding import cut_to, pad_to
from sr.models.published import Arguments
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale
from sr.printable import first_line, printable
from sr.types import Image

INSTALL = "uv sync --extra spandrel"
TARGET = "sr.models.spandrel.Spandrel"
ALIASES = {"rrdb": "esrgan", "rrdbnet": "esrgan", "srvggnetcompact": "compact"}
SCALE_NAMES = ("upscale", "scale", "upscaling_factor", "upscale_factor", "up_scale")
"""What the architectures call their scale."""
DEFAULTS: dict[str, dict[str, Any]] = {
    "atd": {"upsampler": "pixelshuffledirect"},
    "drct": {"upsampler": "pixelshuffle"},
    "grl": {"upsampler": "pixelshuffledirect"},
    "hat": {"window_size": 16},
    "safmn": {"dim": 36},
    "span": {"num_in_ch": 3, "num_out_ch": 3},
    "swin2sr": {"window_size": 8, "upsampler": "pixelshuffledirect"},
    "swinir": {"window_size": 8, "upsampler": "pixelshuffledirect"},
}
"""Where the constructor alone makes no upscaler of RGB pictures, by architecture."""
PURPOSES = ("SR", "Restoration")
_PREFIX = "network."

_REFUSED = (
    *(ValueError, TypeError, AssertionError, LookupError, ArithmeticError, AttributeError, RuntimeError),
    *(NameError, ImportError),
)
"""What constructors that check little end in."""


class MissingError(UserError):
    """spandrel is not installed."""


class Kind(NamedTuple):
    """An architecture of spandrel and one of its networks."""

    architecture: Any
    network: type[nn.Module]


class Spandrel(nn.Module):
    """A network of spandrel by the name of its architecture.

    Its weights are named as in files of its authors, so that such files and ours have the same names. Pictures whose
    sizes it cannot take are mirrored onwards at the right and the bottom, and cut afterwards.

    Args:
        scale: 1, 2, 3, 4 or 8, if the architecture can do it.
        arch: such as ``compact``, ``span``, ``rrdb``, ``realplksr``, ``swinir``, in any case.
        arguments: of its constructor beside the scale, by spandrel's names; None for its defaults.

    Attributes:
        grid: pictures are cut into tiles at multiples of it.

    Raises:
        UserError: spandrel is not installed.
        ValueError: there is no such architecture or argument, or no network of them.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(self, scale: int, arch: str = "compact", arguments: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        kind = _kind(arch)
        network = _built(arch, kind, scale, dict(arguments or {}))
        described = _described(arch, kind, network.state_dict())
        if described.scale != scale:
            raise ValueError(f"arch={arch} makes x{described.scale} of these arguments, not x{scale}")
        self.grid = int(described.size_requirements.multiple_of)
        self._minimum = int(described.size_requirements.minimum)
        self._call: Callable[[nn.Module, Tensor], Tensor] = described._call_fn  # the public call makes no gradient
        self.network = network
        _last_exact_(network)
        self.register_state_dict_post_hook(_without_prefix)
        self.register_load_state_dict_pre_hook(_with_prefix)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        height, width = lr.shape[-2:]
        # A copy: rcan, for one, changes its input.
        result: Tensor = self._call(self.network, pad_to(lr, self.grid, self._minimum).clone())
        return cut_to(result, self.scale * height, self.scale * width)


def converted(path: Path, tensors: Mapping[str, Tensor]) -> tuple[Arguments, Mapping[str, Tensor]]:
    """What spandrel takes weights for: a configuration of `Spandrel`, and the weights by its names.

    Args:
        path: their file, for messages.
        tensors: as the file has them.

    Raises:
        MissingError: spandrel is not installed.
        UserError: it does not know them, or not as a network of pictures.
    """
    registry = _registry()
    with bounded(path, {}, tensors):
        try:
            with warnings.catch_warnings(action="ignore"):
                described = registry.load(dict(tensors))
        except UserError:
            raise
        except Exception as error:  # of any kind: it looks at names and shapes of anything
            reason = type(error).__name__ if not str(error) else printable(first_line(error))[:200]
            raise UserError(reason) from error
    _check_pictures(described)
    network = described.model
    names = [name for name, kind in kinds().items() if kind.network is type(network)]
    arguments = _plain(names[0] if names else "", network)
    own = {key: value for key, value in arguments.items() if key not in SCALE_NAMES}
    config = {"_target_": TARGET, "scale": int(described.scale), "arch": names[0], "arguments": own}
    return config, network.state_dict()


def kinds() -> dict[str, Kind]:
    """Every network of spandrel by the lower-case name that ``arch`` takes: the architecture's, or its class's.

    Raises:
        MissingError: spandrel is not installed.
    """
    found: dict[str, Kind] = {}
    for support in _registry().architectures():
        architecture = support.architecture
        made = type(architecture).__orig_bases__[0].__args__[0]  # Architecture[SPAN], Architecture[A | B]
        for number, network in enumerate(get_args(made) or (made,)):
            name = architecture.id if number == 0 else network.__name__
            found[name.lower()] = Kind(architecture, network)
    return found


def _registry() -> Any:
    try:
        from spandrel import MAIN_REGISTRY
    except ImportError as error:
        raise MissingError(f"spandrel, which knows more networks, is not installed: {INSTALL}") from error
    return MAIN_REGISTRY


def _kind(arch: str) -> Kind:
    every = kinds()
    name = ALIASES.get(arch.lower(), arch.lower())
    if name not in every:
        near = difflib.get_close_matches(name, [*every, *ALIASES], 1)
        way_out = f"did you mean {near[0]}?" if near else "choose one of them."
        raise ValueError(
            f"arch={printable(arch)[:80]} is not one of {', '.join(sorted([*every, *ALIASES]))}; {way_out}"
        )
    return every[name]


def _built(arch: str, kind: Kind, scale: int, arguments: dict[str, Any]) -> nn.Module:
    """The network by its constructor, after checking every argument.

    Raises:
        ValueError: it refused them.
    """
    known = {name: p for name, p in inspect.signature(kind.network.__init__).parameters.items() if name != "self"}
    scale_name = next((name for name in SCALE_NAMES if name in known), None)
    free = [name for name in known if name != scale_name]
    for name, value in arguments.items():
        if name not in free:
            near = difflib.get_close_matches(name, free, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(free)}."
            raise ValueError(f"arguments.{printable(name)[:80]}: arch={arch} has no such argument; {hint}")
        _check_value(name, value, known[name].default)
    given = DEFAULTS.get(arch.lower(), {}) | arguments
    given |= {scale_name: scale} if scale_name is not None else {}
    lacking = [name for name, p in known.items() if p.default is inspect.Parameter.empty and name not in given]
    if lacking:
        raise ValueError(f"arch={arch} needs arguments.{lacking[0]}, which has no default")
    try:
        with warnings.catch_warnings(action="ignore"):  # what it does of old is its authors' to mend
            return kind.network(**given)
    except _REFUSED as error:
        raise ValueError(f"arch={arch} cannot be built of these arguments: {_said(error)}") from error


def _check_value(name: str, value: Any, default: Any) -> None:
    """Against the default, as most of these constructors have no annotations.

    Raises:
        ValueError: it is of another type.
    """
    wanted: tuple[type, ...] = (type(default),)
    if default is inspect.Parameter.empty:
        wanted = (int,)
    elif default is None:
        wanted = (bool, int, float, str, list, tuple, type(None))
    elif isinstance(default, list | tuple):
        wanted = (list, tuple)
    elif isinstance(default, float) or (isinstance(default, int) and not isinstance(default, bool)):
        wanted = (int, float)
    elif not isinstance(default, bool | str):
        raise ValueError(f"arguments.{name} is not a plain value in spandrel and cannot be set")
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        names = " or ".join(sorted({"list" if kind is tuple else kind.__name__ for kind in wanted}))
        raise ValueError(f"arguments.{name}={printable(value)[:80]} should be {names}, as its default {default!r}")


def _described(arch: str, kind: Kind, state: dict[str, Any]) -> Any:
    """What spandrel takes the network's own weights for: a file of it is opened like that by other programs.

    Raises:
        ValueError: as nothing, or as no network of RGB pictures.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            found = kind.architecture.load(dict(state))
        _check_pictures(found)
    except UserError as error:
        raise ValueError(f"arch={arch}: {error}") from error
    except Exception as error:  # of any kind: it looks at shapes
        raise ValueError(f"arch={arch}: spandrel would not open a file of these arguments: {_said(error)}") from error
    return found


def _check_pictures(described: Any) -> None:
    name = described.architecture.name
    if described.purpose not in PURPOSES:
        raise UserError(f"{name} is for {described.purpose}, not for upscaling pictures")
    channels = described.input_channels, described.output_channels
    if channels != (3, 3):
        raise UserError(f"{name} takes {channels[0]} channels and makes {channels[1]}; here pictures have 3")
    if described.size_requirements.square:
        raise UserError(f"{name} takes square pictures only")


def _plain(arch: str, network: nn.Module) -> dict[str, Any]:
    """The arguments that the network was made of, without classes where these are its constructor's defaults.

    Raises:
        UserError: one is no plain value.
    """
    stored: Mapping[str, Any] = getattr(network, "hyperparameters", {})
    known = inspect.signature(type(network).__init__).parameters
    own = {name: value for name, value in stored.items() if name in known and not _is_default_class(value, known[name])}
    try:
        plain: dict[str, Any] = json.loads(json.dumps(own))
    except (TypeError, ValueError) as error:
        raise UserError(f"{arch or type(network).__name__} has arguments that are no plain values") from error
    if not arch:
        raise UserError(f"{type(network).__name__} is a variant that spandrel does not build by name")
    return plain


def _is_default_class(value: Any, parameter: inspect.Parameter) -> bool:
    return callable(value) and value is parameter.default


def _said(error: Exception) -> str:
    return printable(first_line(error))[:200] if str(error) else type(error).__name__


def _last_exact_(network: nn.Module) -> None:
    """Let the convolution that is defined last, with few exceptions the one that makes the picture, stay float32."""
    convs = [layer for layer in network.modules() if type(layer) is nn.Conv2d]
    if convs:
        convs[-1].__class__ = ExactConv2d


def _without_prefix(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Name the weights as their authors do: this class is around them."""
    inner = prefix + _PREFIX
    for name in [name for name in state if name.startswith(inner)]:
        state[prefix + name.removeprefix(inner)] = state.pop(name)


def _with_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """The other way round."""
    for name in [name for name in state if name.startswith(prefix)]:
        state[prefix + _PREFIX + name.removeprefix(prefix)] = state.pop(name)
