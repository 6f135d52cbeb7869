"""One page that compares runs: a folder of static files."""
