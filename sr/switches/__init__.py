"""Switches: per-pixel mixtures of branches, which generators and discriminators use alike."""
