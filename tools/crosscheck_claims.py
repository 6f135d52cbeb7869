"""Three claims of the experiment log once more, with nothing of this package: plain loops over pictures drawn here.

#31 against #29 (BlurPool after the pixel shuffle), #03 and #04 (VGG features beside L1 and alone), #25 (the
discriminator rests while it is too good). Networks, losses, degradation and measures are written out in PyTorch and
torchvision, here and in the two files beside it (crosscheck_pictures.py, crosscheck_networks.py); what they share with
the package is the log. Nothing but direction and rough size can agree.

    SR_WEIGHTS=FOLDER uv run python tools/crosscheck_claims.py

FOLDER (or a file) holds VGG16's weights under torchvision's names, as far as conv2_2 at least. Each table is a claim:
per seed, with it minus without it. The last column is what docs/log.json says of the same claim.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

import torch
import torch.nn.functional as F
from crosscheck_networks import Network, discriminator, edges, vgg_features
from crosscheck_pictures import World, crops, drawn_world, low_resolution
from torch import Tensor, nn


@dataclass(frozen=True)
class Recipe:
    """What a run of the log is; weights are those for pictures in [0, 1].

    Attributes:
        l1, features, edge, gan: weights of the losses; gan=0 is without a discriminator.
        blur: BlurPool after the pixel shuffle.
        rest: thresholds of the stepper: the discriminator rests from below the first to above the second.
        real: blurred by unknown kernels and noisy, instead of bicubic.
        start: updates by L1 alone that come first.
        d_rate: learning rate of the discriminator.
    """

    l1: float = 2.0
    features: float = 0.0
    edge: float = 0.0
    gan: float = 0.0
    blur: bool = False
    rest: tuple[float, float] | None = None
    real: bool = False
    start: int = 0
    d_rate: float = 1e-4


L1 = Recipe()
STEPPED = Recipe(l1=0.02, features=1, gan=0.05, real=True, rest=(0.3, 0.4), start=300, d_rate=4e-4)
EDGE = Recipe(l1=0.02, features=1, edge=4, gan=0.05, real=True, rest=(0.2, 0.3))
RECIPES = {
    "l1": L1,
    "03": replace(L1, features=1),
    "04": replace(L1, l1=0, features=1),
    "25": STEPPED,
    "25 without": replace(STEPPED, rest=None),
    "29": EDGE,
    "31": replace(EDGE, blur=True),
}
# Claim of conf/claims.yaml (or "" where it has none like it), run, the run beside it, measure, claimed sign.
CLAIMS = {
    "31": [
        ("log/31 psnr", "31", "29", "psnr_rgb", 1),
        ("log/31 checkerboard", "31", "29", "checkerboard", -1),
        ("log/31 checkerboard_local", "31", "29", "checkerboard_local", -1),
    ],
    "03": [
        ("log/03 psnr_at_equal_updates", "03", "l1", "psnr_rgb", -1),
        ("log/03 sharper", "03", "l1", "sharpness", 1),
        ("log/04 psnr", "04", "03", "psnr_rgb", -1),
        ("", "04", "l1", "psnr_rgb", -1),
    ],
    "25": [
        ("log/25 stepper_alone", "25", "25 without", "sharpness", 1),
        ("", "25", "25 without", "psnr_rgb", 1),
        ("log/25 rests", "25", "25 without", "rest_share", 1),
    ],
}


def train(
    recipe: Recipe, seed: int, updates: int, world: World, features: Callable[[Tensor], Tensor]
) -> tuple[Network, float]:
    """One run; the share of its updates in which the discriminator rested beside the network."""
    torch.manual_seed(seed)
    net, d = Network(recipe.blur), discriminator()
    draws = torch.Generator().manual_seed(seed)
    if recipe.start:
        warm_up(net, recipe, world, draws)
    betas = (0.5 if recipe.gan else 0.9, 0.999)
    g_steps = torch.optim.Adam(net.parameters(), 1e-3, betas)
    d_steps = torch.optim.Adam(d.parameters(), recipe.d_rate, (0.5, 0.999))
    resting, d_loss, rested = False, 0.4, 0
    for update in range(updates):
        g_steps.param_groups[0]["lr"] = 1e-3 * 0.01 ** (update / updates)
        lr, hr = crops(recipe.real, world, draws)
        sr = net(lr)
        loss = recipe.l1 * (sr - hr).abs().mean()
        if recipe.features:
            loss = loss + recipe.features * (features(sr) - features(hr)).abs().mean()
        if recipe.edge:
            loss = loss + recipe.edge * (edges(sr) - edges(hr)).abs().mean()
        large = F.interpolate(lr, scale_factor=2, mode="bicubic", align_corners=True)
        if recipe.gan:
            d.eval().requires_grad_(False)
            loss = loss + recipe.gan * (d(torch.cat([sr, large], 1)) - 1).square().mean()
        g_steps.zero_grad()
        loss.backward()
        g_steps.step()
        if recipe.gan:
            if recipe.rest is not None:
                off, on = recipe.rest
                resting = d_loss <= on if resting else d_loss < off
            d_loss = judge(d, d_steps, (sr.detach(), hr, large), resting)
            rested += resting
    return net, rested / updates


def warm_up(net: Network, recipe: Recipe, world: World, draws: torch.Generator) -> None:
    """By L1 alone."""
    steps = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(recipe.start):
        lr, hr = crops(recipe.real, world, draws)
        steps.zero_grad()
        (net(lr) - hr).abs().mean().backward()
        steps.step()


def judge(d: nn.Sequential, steps: torch.optim.Optimizer, shown: tuple[Tensor, Tensor, Tensor], resting: bool) -> float:
    """The discriminator's step, or, while it rests, its loss alone."""
    sr, hr, large = shown
    d.train(not resting).requires_grad_(not resting)
    loss = d(torch.cat([sr, large], 1)).square().mean() + (d(torch.cat([hr, large], 1)) - 1).square().mean()
    if not resting:
        steps.zero_grad()
        loss.backward()
        steps.step()
    return float(loss.detach())


@torch.no_grad()
def measured(net: Network, recipe: Recipe, world: World) -> dict[str, float]:
    """Means over the held-out pictures."""
    hr = world.held_out
    sr = net(low_resolution(hr, recipe.real, world, torch.Generator().manual_seed(7))).clamp(0, 1)
    sr, hr = sr[..., 2:-2, 2:-2], hr[..., 2:-2, 2:-2]
    error = (sr - hr).mean(1, keepdim=True) * 255  # levels
    blocks = F.unfold(error, 16, stride=16).transpose(1, 2).reshape(-1, 1, 16, 16)
    return {
        "psnr_rgb": float(-10 * (sr - hr).square().mean((1, 2, 3)).log10().mean()),
        "sharpness": float((edges(sr).mean((1, 2, 3)) / edges(hr).mean((1, 2, 3))).mean()),
        "checkerboard": pattern(error),
        "checkerboard_local": pattern(blocks),
    }


def pattern(error: Tensor) -> float:
    """Spread of the means at the four places of a 2x2 cell, a mean over pictures (n, 1, height, width)."""
    return float(F.pixel_unshuffle(error, 2).mean((2, 3)).std(1, unbiased=False).mean())


def said(path: Path, claim: str) -> str:
    """What docs/log.json has: verdict, value and spread."""
    if not path.is_file() or not claim:
        return ""
    entry, name = claim.split()
    for one in json.loads(path.read_text()):
        if str(one["entry"]).startswith(entry) and one["claim"] == name:
            value = one.get("value")
            return one["verdict"] if value is None else f"{one['verdict']}: {value:+.3g}, spread {one.get('spread')}"
    return "no such claim"


def row(claim: tuple[str, str, str, str, int], values: Mapping[str, list[Mapping[str, float]]], path: Path) -> str:
    """A line of the table."""
    name, run, beside, measure, sign = claim
    left, right = ([one[measure] for one in values[key]] for key in (run, beside))
    differences = [a - b for a, b in zip(left, right, strict=True)]
    agree = sum(sign * d > 0 for d in differences)
    spread = f"{stdev(differences):.3g}" if len(differences) > 1 else "one seed"
    cells = [f"#{run} - #{beside}" if beside != "l1" else f"#{run} - L1", measure, "<" if sign < 0 else ">"]
    cells += [f"{mean(right):.4g} -> {mean(left):.4g}", " ".join(f"{d:+.3g}" for d in differences)]
    cells += [f"{mean(differences):+.3g}", spread, f"{agree} of {len(differences)}", said(path, name)]
    return "| " + " | ".join(cells) + " |"


def weights_file() -> Path:
    """VGG16's; ends the program where there is none."""
    place = Path(os.environ.get("SR_WEIGHTS", "."))
    files = [place] if place.is_file() else sorted(place.glob("vgg16*.pth"))
    if not files:
        sys.exit(f"no vgg16*.pth in SR_WEIGHTS={place}; name a folder or a file with VGG16's weights")
    return files[0]


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--claims", default="31,03,25", help="of 31, 03 (with 04), 25")
    parser.add_argument("--updates", type=int, default=300, help="of each run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--start", type=int, default=300, help="updates by L1 alone that come first in #25")
    parser.add_argument("--log", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "log.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    features, world, begun = vgg_features(weights_file()), drawn_world(), perf_counter()
    for claim in args.claims.split(","):
        rows = CLAIMS[claim]
        values: dict[str, list[Mapping[str, float]]] = {}
        for run in dict.fromkeys(name for one in rows for name in one[1:3]):
            values[run] = []
            for seed in range(1, args.seeds + 1):
                recipe = replace(RECIPES[run], start=args.start if RECIPES[run].start else 0)
                net, share = train(recipe, seed, args.updates, world, features)
                values[run].append({**measured(net, RECIPES[run], world), "rest_share": share})
                print(f"{perf_counter() - begun:.0f} s: #{run}, seed {seed}: {values[run][-1]}", file=sys.stderr)
        print("\n| runs | measure | claimed | without -> with | differences | mean | spread | sign | docs/log.json |")
        print("|---|---|---|---|---|---|---|---|---|")
        for one in rows:
            print(row(one, values, args.log), flush=True)


if __name__ == "__main__":
    main()
