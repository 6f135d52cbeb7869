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
        self.config = config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the runs that are to be made.

        Args:
            arguments: as typed; the record has them already.
        """
        from sr.verbs.train.launching import launch_pending

        launch_pending(self.launcher, self.config)


ConfigStore.instance().store(
    group="hydra/sweeper", name="grid", node={"_target_": f"{__name__}.GridSweeper"}, provider="sr"
)
