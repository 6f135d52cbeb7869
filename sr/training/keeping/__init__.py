"""What a run keeps on disk: its state, checkpoints, bundles, folder and logs."""
