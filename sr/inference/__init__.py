"""Trained networks at work: networks in, pictures out. Knows nothing of training."""
