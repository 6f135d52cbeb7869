"""Experiments: runs on disk, claims and verdicts, the miniature world."""
