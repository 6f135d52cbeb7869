"""Where values, pictures and results of a run go: its own table always, services on request."""
