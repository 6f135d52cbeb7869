"""The training module, its clock, checkpoints and callbacks."""
