"""Augmentations of a pair of crops on the device."""
