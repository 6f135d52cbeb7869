"""A super-resolution training and experiment toolkit."""
