"""Validate on the updates clock, keep the best results, write pictures."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import lightning
import numpy as np

from sr.data.pairs import ValidationPair
from sr.data.sets import ShownPicture, short_names
from sr.models.bicubic import Bicubic
from sr.models.scales import scale_of
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.colour_alarm import ColourAlarm
from sr.training.columns import SHOWN, Best, check_set_names, means, monitored, named_means
from sr.training.contract import Trainable
from sr.training.keeping.loggers.publishing import publish, publish_pictures
from sr.training.keeping.pictures import SIDE, KeptPictures, Views, beside, picture_file
from sr.training.keeping.run_folder import RunFolder
from sr.training.keeping.tables import PictureTable
from sr.training.perceptual import Perceptual
from sr.training.steps import observe
from sr.training.translation import generators, period_of, there_and_back
from sr.training.validation import (
    Upscale,
    as_exported,
    measured,
    network_upscaler,
    pictures_inside,
    upscaled_alone,
    watched,
)
from sr.types import UserError


class Validation(UpdateCallback):
    """Measures the deliverable network every so many updates, beside bicubic, as `sr evaluate` measures its file.

    Args:
        every: updates between validations; the end of a run is validated too.
        monitor: metric that decides which network is the best: psnr_y, ssim_y, psnr_rgb, ssim_rgb or lpips of the main
            set, or NAME/psnr_y of a set with a name. Of several the first is what schedules are told; `BestNetworks`
            keeps the best network by each of the others.
        folder: where pictures and what is measured of each are written.
        pictures: how many pictures of each set are written and shown each time.
        lpips: measures that too, or None where its weights are not there.
        alarm: told the colour error, or None.
        sets: names of the validation sets.
        without_truth: there is none, and pictures that are shown are measured by what they tell of themselves.
        translates: the network does, so that pictures that are shown are measured there and back.
        shown: there are such pictures.

    Raises:
        UserError: a number out of range, a monitor that is no metric or cannot be measured, or a set that has the
            name of one.
    """

    def __init__(
        self,
        every: int,
        monitor: str | Sequence[str],
        folder: RunFolder,
        pictures: int = 4,
        lpips: Perceptual | None = None,
        alarm: ColourAlarm | None = None,
        sets: Sequence[str] = (),
        without_truth: bool = False,
        translates: bool = False,
        shown: bool = False,
    ) -> None:
        if every < 1:
            raise UserError(f"trainer.val_every={every} must be at least 1 (updates)")
        if pictures < 0:
            raise UserError(f"trainer.val_images={pictures} must be at least 0")
        check_set_names(sets, translates)
        first, *others = monitored(monitor, lpips is not None, sets, without_truth, translates and shown)
        self._lpips = lpips
        self.every, self.monitor, self.folder, self.pictures = every, first, folder, pictures
        self.alarm, self.translates = alarm, translates
        self.baseline: dict[str, float] = {}
        """Bicubic's means by column: ``psnr_y`` of the main set, ``NAME/psnr_y`` of each with a name."""
        self.latest: dict[str, float] = {}
        """The network's likewise."""
        self.by_picture = PictureTable(folder.by_picture)
        self.kept = KeptPictures(folder, every)
        self._main = next(iter(sets), "")
        self._best = Best(first)
        self.others = [Best(metric) for metric in others]
        """The best by each further metric."""
        self.validated_at = -1
        self.stale = 0
        """Validations since one was better than all before, without those between which the generator did not learn."""
        self._bicubic: dict[str, list[np.ndarray]] = {}
        self._bicubic_rows: dict[str, list[dict[str, float]]] = {}

    def about_small(self, sets: Mapping[str, Sequence[ValidationPair]]) -> str | None:
        """What to say before training of pictures of these sets that are too small for LPIPS; None where none is."""
        if self._lpips is None:
            return None
        return self._lpips.about_small([pair.hr.shape[:2] for pairs in sets.values() for pair in pairs])

    @property
    def best(self) -> dict[str, float]:
        """What the best validation measured; empty before the first."""
        return self._best.values

    @property
    def best_updates(self) -> int:
        """When that was, or -1."""
        return self._best.updates

    @property
    def improved(self) -> bool:
        """Whether the newest validation is the best so far, or one of several that are the same."""
        return self.best_updates == self.validated_at >= 0

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure bicubic once."""
        module = training_module(pl_module)
        sets = _sets(trainer)
        if not (sets or _shown(trainer)) or not trainer.is_global_zero:
            return
        scale, compute = scale_of(module.deliverable), module.compute
        upscale = network_upscaler(Bicubic(scale).to(compute.device), compute.device, compute.exact())
        rows = self._bicubic_rows
        for name, pairs in sets.items():
            kept = self._bicubic[name] = []
            rows[name], _ = measured(upscale, pairs, scale, partial(self._keep, kept), self._lpips)
        if not self.translates:
            alone = upscaled_alone(upscale, _shown(trainer), scale)
            self._bicubic[SHOWN] = [sr for sr, _ in alone if sr is not None]
            if not sets:
                rows[SHOWN] = [row for _, row in alone]
        self.baseline = named_means(rows) if sets else means(rows.get(SHOWN, [{}]))
        if self.alarm is not None and sets and scale > 1:  # at x1 colours are compared with the truth's own
            main = next(iter(sets.values()))
            self.alarm.truth = means(watched(pair.hr, pair.lr, scale) for pair in main)["colour_error"]

    def _keep(self, kept: list[np.ndarray], number: int, sr: np.ndarray) -> None:
        if number < self.pictures:
            kept.append(sr)

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Validate when it is due."""
        if module.updates % self.every == 0:
            self.validate(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Validate the final network, unless the user is waiting for an interrupted run to end."""
        module = training_module(pl_module)
        if module.exit_reason != "interrupted":
            self.validate(trainer, module)

    def validate(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Measure, log, and remember the best; at most once per number of updates.

        Raises:
            UserError: the disk is full.
        """
        if not validates(trainer) or self.validated_at == module.updates:
            return
        before = self.latest.get(self.monitor)
        with module.stopwatch.paused():
            views, beside = self._measure(trainer, module) if trainer.is_global_zero else ({}, {})
            if trainer.world_size > 1:  # schedules listen to the result in every process
                self.latest = trainer.strategy.broadcast(self.latest)
            self.validated_at = module.updates
            if self._remember(before):
                observe(module, self.monitor, self.latest[self.monitor])
            if trainer.is_global_zero:
                if self.alarm is not None and "colour_error" in self.latest:
                    error, progress = self.latest["colour_error"], module.clock.progress
                    self.alarm.judge(error, module.updates, progress, module.adversaries)
                self._publish(trainer, module.updates)
                self._show(trainer, views, beside, module.updates)

    def _measure(self, trainer: lightning.Trainer, module: Trainable) -> tuple[dict[str, Views], dict[str, np.ndarray]]:
        """Measure all sets; the pictures to show, by the name of their file, and what the network shows of itself."""
        compute, scale = module.compute, scale_of(module.deliverable)
        network = as_exported(module.deliverable)
        upscale = network_upscaler(network, compute.device, compute.exact())
        directions = generators(network, compute.device, compute.exact()) if self.translates else {}
        rows: dict[str, list[dict[str, float]]] = {}
        shown: dict[str, Views] = {}
        sets = _sets(trainer)
        for name, pairs in sets.items():
            show = partial(self._add_views, shown, name, pairs)
            rows[name], _ = measured(directions.get(name, upscale), pairs, scale, show, self._lpips)
        names = {name: short_names([pair.name for pair in pairs]) for name, pairs in sets.items()}
        self.latest = named_means(rows) if sets else {}
        if self.translates:
            alone = self._there_and_back(trainer, directions, shown, period_of(network))
        else:
            alone = self._alone(trainer, upscale, scale, shown)
        if alone and (self.translates or not sets):
            self.latest |= means(alone)
            for name, pictures in _by_side(_shown(trainer)).items():
                names[name] = short_names([picture.name for _, picture in pictures])
                rows[name] = [alone[number] for number, _ in pictures]
        self.by_picture.add(module.updates, {name: zip(names[name], rows[name], strict=True) for name in rows})
        if self._bicubic_rows:  # once in a sitting; one that is refused at its start has written nothing
            measured_of = list(self._bicubic_rows)
            bicubic = {name: zip(names[name], self._bicubic_rows.pop(name), strict=True) for name in measured_of}
            PictureTable(self.folder.bicubic_by_picture).add(0, bicubic)
        inside = partial(pictures_inside, network, device=compute.device)
        made = {name: inside(views.middle(SIDE).lr) for name, views in shown.items()}
        return shown, {beside(name, what): pixels for name, found in made.items() for what, pixels in found.items()}

    def _alone(
        self, trainer: lightning.Trainer, upscale: Upscale, scale: int, shown: dict[str, Views]
    ) -> list[dict[str, float]]:
        alone = upscaled_alone(upscale, _shown(trainer), scale)
        for number, (picture, (sr, _)) in enumerate(zip(_shown(trainer), alone, strict=True)):
            if sr is not None:  # else the measures tell of it
                shown[picture_file(SHOWN, number, picture.name)] = Views(picture.lr, self._bicubic[SHOWN][number], sr)
        return [row for _, row in alone]

    def _there_and_back(
        self, trainer: lightning.Trainer, directions: dict[str, Upscale], shown: dict[str, Views], period: int
    ) -> list[dict[str, float]]:
        values = []
        number = dict.fromkeys(_by_side(_shown(trainer)), 0)
        for picture in _shown(trainer):
            side, one = picture.side or SHOWN, there_and_back(directions, picture, period)
            values.append(one.values)
            if one.made is not None and number[side] < self.pictures:  # the others' pictures are forgotten at once
                name = picture_file(side, number[side], picture.name)
                shown[name] = Views(picture.lr, picture.lr, one.made, back=one.back)
            number[side] += 1
        return values

    def _add_views(
        self, shown: dict[str, Views], name: str, pairs: Sequence[ValidationPair], number: int, sr: np.ndarray
    ) -> None:
        if number < len(self._bicubic[name]):
            pair = pairs[number]
            shown[picture_file(name, number, pair.name)] = Views(
                pair.lr, self._bicubic[name][number], sr, pair.hr, translated=self.translates
            )

    def _remember(self, before: float | None) -> bool:
        """Compare with the best; whether schedules and `EarlyStop` should hear of the result.

        The very same result as ``before`` means that the generator has not learned in between, as while the
        discriminator learns alone: nothing that they should take for a standstill.
        """
        better, *_ = [best.take(self.latest, self.validated_at) for best in (self._best, *self.others)]
        learned = self.latest[self.monitor] != before
        if learned:
            self.stale = 0 if better else self.stale + 1
        return learned

    def _publish(self, trainer: lightning.Trainer, updates: int) -> None:
        values = {f"val/{name}": value for name, value in self.latest.items()}
        values |= {f"val/bicubic/{name}": value for name, value in self.baseline.items()}
        publish(trainer, {name: value for name, value in values.items() if math.isfinite(value)}, updates)

    def _show(
        self, trainer: lightning.Trainer, views: Mapping[str, Views], beside: Mapping[str, np.ndarray], updates: int
    ) -> None:
        strips = {name: one.strip() for name, one in views.items()} | dict(beside)
        self.kept.write(views, strips, updates)
        publish_pictures(trainer, strips, updates)

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far."""
        return {
            "latest": self.latest,
            "monitor": self.monitor,
            "main": self._main,
            "best": self.best,
            "best_updates": self.best_updates,
            "others": {best.metric: {"values": best.values, "updates": best.updates} for best in self.others},
            "validated_at": self.validated_at,
            "stale": self.stale,
            "alarm": None if self.alarm is None else self.alarm.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave; a further metric that the saved run did not have begins afresh.

        Raises:
            UserError: the saved run's ``best.safetensors`` is the best by another metric, or on another set.
        """
        main = state_dict.get("main") or self._main
        if self._main and main != self._main:
            raise UserError(
                f"data.val begins with {self._main}, but the main set of this run is {main}; put that first: "
                f"data.val={{{main}:DIR,…}}"
            )
        before = state_dict.get("monitor", self.monitor)
        if before != self.monitor:
            raise UserError(
                f"trainer.monitor={self.monitor}, but best.safetensors of this run is the best by {before}; put that "
                f"first: trainer.monitor=[{before},{self.monitor}]"
            )
        self.latest, self.validated_at = _numbers(state_dict["latest"]), int(state_dict["validated_at"])
        self._best = _best(self.monitor, state_dict["best"], state_dict["best_updates"])
        saved = state_dict.get("others", {})
        states = [(best.metric, saved.get(best.metric, {})) for best in self.others]
        self.others = [_best(metric, of.get("values", {}), of.get("updates", -1)) for metric, of in states]
        # Runs of before it was counted say only how many updates ago the best was.
        self.stale = int(state_dict.get("stale", (self.validated_at - self.best_updates) // self.every))
        if self.alarm is not None and state_dict.get("alarm") is not None:
            self.alarm.load_state_dict(state_dict["alarm"])


def _best(metric: str, values: Any, updates: Any) -> Best:
    best = Best(metric, _numbers(values), int(updates))
    if best.values and metric not in best.values:
        raise KeyError(metric)
    return best


def _numbers(state: Any) -> dict[str, float]:
    return {str(name): float(value) for name, value in state.items()}


def _shown(trainer: lightning.Trainer) -> list[ShownPicture]:
    return trainer.datamodule.shown_pictures  # type: ignore[attr-defined]


def _by_side(pictures: Sequence[ShownPicture]) -> dict[str, list[tuple[int, ShownPicture]]]:
    """Numbers and pictures by the side that they are of, or all by `SHOWN`."""
    found: dict[str, list[tuple[int, ShownPicture]]] = {}
    for number, picture in enumerate(pictures):
        found.setdefault(picture.side or SHOWN, []).append((number, picture))
    return found


def validates(trainer: lightning.Trainer) -> bool:
    """Whether there are pictures to validate on, with a truth or without."""
    return bool(_sets(trainer) or _shown(trainer))


def _sets(trainer: lightning.Trainer) -> dict[str, list[ValidationPair]]:
    return trainer.datamodule.sets  # type: ignore[attr-defined]
