"""`sr prepare`: make data sets."""
