"""What the adversaries of a run must agree on, with each other and with the generator."""

from collections.abc import Mapping

from torch import nn

from sr.losses.objective import Objective
from sr.losses.views import Pair, Views, base_of
from sr.losses.weights import Constant, Phases, Steps, Weight
from sr.models.outputs import PICTURE
from sr.training.adversary.adversary import Adversary
from sr.types import UserError

_GIVEN_BY = {
    "branch": "model=spsr or model=spsr_switched",
    "features": "model=feature_net",
    **dict.fromkeys(("back", "again_a", "again_b", "same_a", "same_b"), "model=cyclegan"),
}
"""Side outputs of networks here."""


def gan_term(name: str) -> str:
    """Name of an adversary's term in the generator's loss: ``gan`` for ``d``, ``gan_gradient`` for ``d_gradient``."""
    return "gan" if name == "d" else f"gan_{name.removeprefix('d_')}"


def one_g_every(adversaries: Mapping[str, Adversary], accumulate: int) -> int:
    """The one ``g_every`` of all adversaries, 1 without any.

    Args:
        adversaries: by name.
        accumulate: batches per update.

    Raises:
        UserError: they name several, or repeat steps, or learn first, on what is accumulated.
    """
    values = {name: a.policy.g_every for name, a in adversaries.items()}
    if len(set(values.values())) > 1:
        told = " and ".join(f"adversary.{name}.policy.g_every={value}" for name, value in values.items())
        raise UserError(f"{told}: there is one generator, so all adversaries must name the same number")
    for name, adversary in adversaries.items():
        if accumulate > 1 and adversary.policy.d_steps > 1:
            raise UserError(
                f"adversary.{name}.policy.d_steps={adversary.policy.d_steps} repeats steps on one batch, and "
                f"trainer.accumulate={accumulate} makes one step of several; set one of them to 1 (policy.g_every=N "
                "gives the discriminator more steps on new batches)"
            )
        if accumulate > 1 and adversary.policy.order == "d_first":
            raise UserError(
                f"adversary.{name}.policy.order=d_first judges the generator by a discriminator that has just learnt, "
                f"and of an update of trainer.accumulate={accumulate} batches all but the last would be judged before; "
                "set trainer.accumulate=1 with a larger data.batch_size, or order=g_first"
            )
    return next(iter(values.values()), 1)


def check_something_learns(objective: Objective, adversaries: Mapping[str, Adversary]) -> None:
    """Make sure that the generator has something to learn from.

    Raises:
        UserError: every weight is 0 and stays so.
    """
    weights = objective.schedules | {f"adversary.{name}.weight": a.weight_schedule for name, a in adversaries.items()}
    if all(_is_nothing(weight) for weight in weights.values()):
        raise UserError(
            f"the generator would learn nothing: {' and '.join(f'{name}=0' for name in weights)}; give one a weight"
        )


def check_views(views: Views, objective: Objective, adversaries: Mapping[str, Adversary]) -> None:
    """Make sure that there is every view that a term or an adversary names.

    Args:
        views: of any batch.
        objective: of the generator.
        adversaries: by name.

    Raises:
        UserError: one does not exist; the message lists those that do.
    """
    for setting, pair in compared(objective, adversaries).items():
        try:
            views.check(setting, pair)
        except UserError as error:
            base = next((b for b in map(base_of, pair) if b in _GIVEN_BY and b not in views), None)
            raise UserError(f"{error}; {base} is given by {_GIVEN_BY[base]}" if base else str(error)) from error


def check_reached(views: Views, network: nn.Module, objective: Objective, adversaries: Mapping[str, Adversary]) -> None:
    """Make sure that whatever is compared depends on a weight, and can be compared.

    Args:
        views: of a batch with gradient.
        network: the generator.
        objective: of the generator.
        adversaries: by name.

    Raises:
        UserError: a term or an adversary compares given pictures, a picture that no weight makes, or a gradient map
            with a picture; an adversary takes as real what the network makes, or shows real pictures of another size.
    """
    for setting, pair in compared(objective, adversaries).items():
        bases = list(dict.fromkeys(base_of(name) for name in pair))
        if not any(views[base].requires_grad for base in bases):
            way = (
                "its picture is fixed; compare a side output, as loss=features does with model=feature_net"
                if "sr" in bases
                else "compare what the network makes, as in sr,hr"
            )
            raise UserError(
                f"{setting}={','.join(pair)}: no weight of {type(network).__name__} has a part in "
                f"{' or '.join(bases)}: {way}"
            )
        _check_alike(setting, pair, views)


def _check_alike(setting: str, pair: Pair, views: Views) -> None:
    told, judged = f"{setting}={','.join(pair)}", setting.startswith("adversary.")
    if judged and views[base_of(pair.wanted)].requires_grad:
        raise UserError(
            f"{told} takes {pair.wanted} as real, which the network makes; name first what it makes and then what is "
            "real, as in sr,real"
        )
    if PICTURE in map(base_of, pair) and ("grad(" in pair.made) != ("grad(" in pair.wanted):
        raise UserError(f"{told} compares a gradient map with a picture; write grad(…) around both or neither")
    if judged and views[pair.made].shape != views[pair.wanted].shape:
        sizes = [f"{name} has {'x'.join(map(str, views[name].shape[1:]))}" for name in pair]
        raise UserError(
            f"{told} shows pictures of different shapes, by which a discriminator would tell them: "
            f"{' and '.join(sizes)}; name two of one shape"
        )


def check_unpaired(network: nn.Module, objective: Objective, adversaries: Mapping[str, Adversary]) -> None:
    """Make sure that real pictures that belong to no low resolution are only where they mean something.

    Args:
        network: the generator; one that translates tells by ``of_real`` which of its outputs it makes of them.
        objective: of the generator.
        adversaries: by name.

    Raises:
        UserError: a term compares a picture with one of them, or an adversary shows the low resolution beside them.
    """
    for setting, pair in objective.views.items():
        bases = {base_of(view) for view in pair}
        if "real" in bases and not bases & {*getattr(network, "of_real", ())}:
            raise UserError(
                f"{setting}={','.join(pair)} compares each picture with one of other things, as data.real brings "
                "pictures that belong to no low resolution; compare with hr or lr, and leave real to an adversary"
            )
    for name, adversary in adversaries.items():
        shows, kind = adversary.shows, type(adversary.objective)
        if getattr(kind, "own_truth", False):
            raise UserError(
                f"adversary.{name}.objective={kind.__name__} compares pictures with their own "
                "truth, cell by cell, and unpaired real pictures are of other things; take adversary=bce or ragan"
            )
        if shows.condition != "none":
            raise UserError(
                f"adversary.{name}.shows.condition={shows.condition} shows the enlarged LR beside each "
                "picture, and unpaired real pictures have none; set it to none (adversary=lsgan)"
            )


def check_truth(objective: Objective, adversaries: Mapping[str, Adversary], real: bool = True) -> None:
    """Make sure that nothing compares with a truth where there is none.

    Args:
        objective: of the generator.
        adversaries: by name.
        real: there are real pictures, which belong to no low resolution.

    Raises:
        UserError: a term or an adversary does, or takes real pictures where there are none either.
    """
    for setting, pair in compared(objective, adversaries).items():
        if any(base_of(view) == "hr" for view in pair):
            raise UserError(
                f"{setting}={','.join(pair)} compares with the truth, and data=unpaired has none; what works without "
                "is loss=lr_consistency, feature_net or tv, several as loss=[lr_consistency,tv], and any adversary "
                "that shows sr,real or lr(sr),lr; for translation (model=cyclegan) loss=[cycle,identity] "
                "adversary=[lsgan,cycle]"
            )
        if not real and any(base_of(view) == "real" for view in pair):
            raise UserError(
                f"{setting}={','.join(pair)} compares with real pictures, and data.hr=null has none; give data.hr=DIR"
            )


def looks_at(view: str, objective: Objective, adversaries: Mapping[str, Adversary]) -> bool:
    """Whether a term or an adversary names a view, or one that is made of it."""
    return any(base_of(name) == view for pair in compared(objective, adversaries).values() for name in pair)


def compared(objective: Objective, adversaries: Mapping[str, Adversary]) -> dict[str, Pair]:
    """What each term and each adversary compares, by the name of its setting."""
    named = dict(objective.views)
    for name, adversary in adversaries.items():
        for key, pair in zip(("views", "also"), adversary.shows.pairs, strict=False):
            named[f"adversary.{name}.shows.{key}"] = pair
    return named


def _is_nothing(weight: Weight) -> bool:
    """0 throughout; a schedule that may become more, whatever it is now, is something."""
    if isinstance(weight, Constant):
        return weight.value == 0
    return isinstance(weight, Steps | Phases) and not any(weight.values)
