"""Kinds of data: a file per choice of conf/data, and what they share."""
