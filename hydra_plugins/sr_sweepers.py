"""Sweepers of `train.py`. Hydra looks for its plugins in a package of this name, and reads this file at every start."""

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GridSweeper(Sweeper):
    """Every combination of what was typed, as the record in the sweep's folder lists them."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher ready.

        Args:
            hydra_context: composes each run's configuration.
            task_function: trains one.
            config: of the sweep.
        """
        self.config: DictConfig | None = config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the runs that are to be made.

        Args:
            arguments: as typed; the record has them already.
        """
        from sr.verbs.train.launching import launch_pending

        assert self.config is not None, "Hydra sets up a sweeper before it sweeps"
        launch_pending(self.launcher, self.config)


class OptunaSweeper(GridSweeper):
    """A search: each run's values are chosen by what the runs before it have reached.

    Args:
        trials: runs in all.
        together: runs that are chosen before the first of them has ended; as many as a launcher trains side by side.
        sampler: tpe, random or qmc.
        prune: give up runs that fall behind the median of the others at the same validation.
        seed: of the sampler.
    """

    def __init__(self, trials: int, together: int, sampler: str, prune: bool, seed: int) -> None:
        self.trials, self.together, self.sampler, self.prune, self.seed = trials, together, sampler, prune, seed

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the runs of the search.

        Args:
            arguments: as typed.
        """
        from sr.verbs.train.searching import Search, launch_search

        assert self.config is not None, "Hydra sets up a sweeper before it sweeps"
        search = Search(self.trials, self.together, self.sampler, self.prune, self.seed)
        launch_search(self.launcher, self.config, search, arguments)


_SEARCH = {"trials": 20, "together": 1, "sampler": "tpe", "prune": True, "seed": 0}
ConfigStore.instance().store(
    group="hydra/sweeper", name="optuna", node={"_target_": f"{__name__}.OptunaSweeper"} | _SEARCH, provider="sr"
)
ConfigStore.instance().store(
    group="hydra/sweeper", name="grid", node={"_target_": f"{__name__}.GridSweeper"}, provider="sr"
)
