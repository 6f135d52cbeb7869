"""How far two sets of pictures are apart that no picture connects: FID and KID, by torchmetrics (extra ``fid``)."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from sr.errors import UserError
from sr.metrics.functional import Pictures
from sr.printable import first_line

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
"""torch-fidelity's copy of the Inception network that FID was published with."""
FEATURES = 2048
SUBSET = 1000
"""Pictures of each of KID's subsets, of which there are `SUBSETS`; all where there are fewer."""
SUBSETS = 100


class Distance(NamedTuple):
    """What is between two sets.

    Attributes:
        fid: Fréchet distance of the Gaussians of both sets' features (Heusel et al. 2017, arXiv 1706.08500, equation
            6); it grows with fewer pictures.
        kid: squared maximum mean discrepancy of the features (Bińkowski et al. 2018, arXiv 1801.01401), the mean over
            subsets, without that bias; may be below 0.
        kid_deviation: over the subsets; 0 where each is the whole set.
        made: pictures of the first set.
        real: of the second.
    """

    fid: float
    kid: float
    kid_deviation: float
    made: int
    real: int


def inception(device: torch.device) -> nn.Module:
    """Inception as FID takes it: (batch, 3, h, w) uint8 to (batch, 2048).

    `WEIGHTS` is looked for in the folder that ``SR_WEIGHTS`` names, else torch-fidelity downloads it.

    Raises:
        UserError: torch-fidelity is missing, or the weights cannot be had.
    """
    from torchmetrics.image.fid import NoTrainInceptionV3  # here: it imports scipy

    own = Path(os.environ.get("SR_WEIGHTS") or ".") / WEIGHTS
    try:
        network = NoTrainInceptionV3("inception-v3-compat", [f"{FEATURES}"], str(own) if own.is_file() else None)
    except ModuleNotFoundError as error:
        raise UserError("FID and KID need torch-fidelity; install with `uv sync --extra fid`") from error
    except (OSError, RuntimeError) as error:  # of the network, the disk, or a damaged file
        raise UserError(
            f"Inception's weights cannot be had ({first_line(error)}); put {WEIGHTS} of "
            "https://github.com/toshas/torch-fidelity/releases into the folder that SR_WEIGHTS names"
        ) from error
    return network.to(device)


def distance(
    made: Iterable[Pictures], real: Iterable[Pictures], features: nn.Module, device: torch.device, seed: int = 0
) -> Distance:
    """Between two sets.

    Args:
        made: pictures, (batch, 3, height, width) uint8 each; sizes may differ.
        real: likewise.
        features: (batch, 3, height, width) uint8 to (batch, n); see `inception`.
        device: where to compute.
        seed: of KID's subsets.

    Raises:
        UserError: a set has fewer than two pictures.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance  # here: both import scipy
    from torchmetrics.image.kid import KernelInceptionDistance

    with torch.no_grad():
        a, b = (torch.cat([features(one.to(device)).double().cpu() for one in side]) for side in (made, real))
    if min(len(a), len(b)) < 2:
        raise UserError(f"FID and KID compare two sets of at least two pictures, not {len(a)} and {len(b)}")
    fid = FrechetInceptionDistance(feature=_Given(a.shape[1])).set_dtype(torch.float64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Metric `Kernel Inception Distance` will save all")
        kid = KernelInceptionDistance(_Given(a.shape[1]), SUBSETS, min(SUBSET, len(a), len(b))).set_dtype(torch.float64)
    for metric in (fid, kid):
        metric.update(b, real=True)
        metric.update(a, real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, deviation = kid.compute()
    return Distance(float(fid.compute()), float(mean), float(deviation), len(a), len(b))


class _Given(nn.Identity):
    """Features that are there already, for metrics that want a network."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count
