"""Generators: one network per file, low resolution in, super-resolution out."""
