"""Networks as files of other programs, each read back as those programs read it."""
