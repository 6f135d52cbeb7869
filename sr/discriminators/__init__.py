"""Discriminators: one network per file, pictures in, a map of raw verdicts out."""
