"""`sr evaluate`: networks on test sets."""
