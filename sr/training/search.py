"""The study of a search: a file on disk, which several processes read and write, and which outlives them."""

from pathlib import Path
from typing import Any

STUDY = "search"


def study_in(storage: Path, sampler: Any = None, pruner: Any = None) -> Any:
    """The study in a file, which is made if missing; more is better.

    Args:
        storage: the file.
        sampler: of Optuna; None for its default.
        pruner: likewise.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = JournalStorage(JournalFileBackend(str(storage)))
    return optuna.create_study(
        storage=kept, study_name=STUDY, direction="maximize", load_if_exists=True, sampler=sampler, pruner=pruner
    )
