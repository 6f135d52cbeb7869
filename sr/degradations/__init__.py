"""Degradations on the device: high to low resolution."""
