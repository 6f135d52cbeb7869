"""`sr bench`: time parts of training on this machine."""
