"""Networks that make low resolution worse: read for the stage `sr.degradations.corruptor`."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from torch import nn

from sr.errors import UserError
from sr.models.files import check_finite, load_network
from sr.models.scales import scale_of

_OF_A_RUN = ("best.safetensors", "last.safetensors")


@dataclass(frozen=True, repr=False)
class Corruptors:
    """Frozen networks of scale 1.

    Attributes:
        networks: in evaluation mode, float32.
        digests: of their files, so that a store of what they made is keyed by their content.
    """

    networks: tuple[nn.Module, ...]
    digests: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Corruptors({', '.join(self.digests)})"

    def __len__(self) -> int:
        return len(self.networks)


def corruptors(files: Sequence[str]) -> Corruptors:
    """Read networks without running any code of their files.

    Args:
        files: runs' folders or .safetensors of networks of scale 1, at least one.

    Raises:
        UserError: none is named, one is missing or damaged, or has another scale.
    """
    if not files:
        raise UserError(
            "files=[] names no corruptor; give runs or files of networks of scale 1, as made by "
            "`uv run python train.py experiment=lessons/corruptor_net`"
        )
    paths = [_found(file) for file in files]
    networks = []
    for path in paths:
        network, _ = load_network(path)
        if scale_of(network) != 1:
            raise UserError(
                f"the corruptor {path} has scale={scale_of(network)}, and low resolution must keep its size; train one "
                "with scale=1"
            )
        check_finite(path, network.state_dict())
        networks.append(network.requires_grad_(False))
    return Corruptors(tuple(networks), tuple(sha256(path.read_bytes()).hexdigest()[:16] for path in paths))


def _found(file: str) -> Path:
    path = Path(file).expanduser()
    if path.is_dir():
        path = next((path / name for name in _OF_A_RUN if (path / name).is_file()), path)
    if not path.is_file():
        raise UserError(
            f"files: there is no corruptor {file}; give a run's folder or a .safetensors, or make one with "
            "`uv run python train.py experiment=lessons/corruptor_net`"
        )
    return path
