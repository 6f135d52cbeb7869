"""Metrics with their protocol in the name."""
