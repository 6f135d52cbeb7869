"""Pictures of a training step by name: given ones, and what is derived from them, as in ``grad(sr)``."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from sr.errors import UserError
from sr.image.autocast import without_autocast
from sr.losses.pixel import at_least_float32

_NAME = r"[A-Za-z_]\w*"
_VIEW = re.compile(rf"(?:{_NAME}\()*{_NAME}\)*")


class Pair(NamedTuple):
    """The views that something compares.

    Attributes:
        made: by the generator.
        wanted: what it should look like.
    """

    made: str
    wanted: str


def pair_of(text: str) -> Pair:
    """Two names of views as users write them, such as ``grad(sr),grad(hr)``.

    Raises:
        ValueError: there are not two, or one is no name of a view.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not _VIEW.fullmatch(name) or name.count("(") != name.count(")"):
            raise ValueError(f"views={text}: {name!r} is no name of a view; write it as in sr,hr or grad(sr),grad(hr).")
    if len(names) != 2:
        raise ValueError(f"views={text} must name two views, what was made and what is wanted, as in sr,hr.")
    return Pair(*names)


Derive = Callable[[Tensor], Tensor]
"""A float32 picture made of another one."""


class Views(Mapping[str, Tensor]):
    """Pictures by name; a derived one is computed when it is first asked for, and once.

    What is derived is float32, outside autocast, with gradient where gradient was recorded when this was made.

    Args:
        given: (batch, channels, height, width) each, such as ``sr``, ``hr``, ``lr`` and a generator's side outputs.
        functions: by the name under which they are applied, as ``grad`` in ``grad(sr)``.
    """

    def __init__(self, given: Mapping[str, Tensor], functions: Mapping[str, Derive]) -> None:
        self._given, self._functions = dict(given), functions
        self._derived: dict[str, Tensor] = {}
        self._with_gradient = torch.is_grad_enabled()

    def __getitem__(self, name: str) -> Tensor:
        """One view.

        Raises:
            UserError: there is none of this name; the message lists those that there are.
        """
        if name in self._given:
            return self._given[name]
        if name not in self._derived:
            if name not in self:
                raise UserError(self._fault(name))
            function, _, inner = name.removesuffix(")").partition("(")
            with torch.set_grad_enabled(self._with_gradient):
                picture = at_least_float32(self[inner])
                with without_autocast(picture.device):
                    self._derived[name] = self._functions[function](picture)
        return self._derived[name]

    def __contains__(self, name: object) -> bool:
        """Whether it is given, or can be derived."""
        *functions, base = str(name).rstrip(")").split("(")
        return base in self._given and all(function in self._functions for function in functions)

    def __iter__(self) -> Iterator[str]:
        """Names of what is given."""
        return iter(self._given)

    def __len__(self) -> int:
        """How many are given."""
        return len(self._given)

    def detached(self) -> "Views":
        """The same pictures without gradient; what was derived is not derived again."""
        new = Views({name: view.detach() for name, view in self._given.items()}, self._functions)
        new._derived = {name: view.detach() for name, view in self._derived.items()}
        return new

    def replaced(self, given: Mapping[str, Tensor]) -> "Views":
        """With other pictures under some names; what does not come from them is not derived again."""
        new = Views({**self._given, **given}, self._functions)
        new._derived = {name: view for name, view in self._derived.items() if base_of(name) not in given}
        return new

    def check(self, setting: str, pair: Pair) -> None:
        """Make sure that there are these views.

        Args:
            setting: that names them, for the message.
            pair: the names.

        Raises:
            UserError: there is no such view; the message lists those that there are.
        """
        for name in pair:
            if name not in self:
                raise UserError(f"{setting}={','.join(pair)}: {self._fault(name)}")

    def _fault(self, name: str) -> str:
        known = [*self._given, *(f"{function}({view})" for function in self._functions for view in self._given)]
        near = difflib.get_close_matches(name, known, 1, cutoff=0.5)
        hint = f"did you mean {near[0]}? There" if near else "there"
        of_each = ", ".join(f"{function}(…)" for function in self._functions)
        return f"there is no view {name}; {hint} are {', '.join(self._given)}, and of each of them {of_each}"


def base_of(name: str) -> str:
    """The given picture that a view is made of: ``sr`` of ``grad(sr)``."""
    return name.rstrip(")").rpartition("(")[2]
