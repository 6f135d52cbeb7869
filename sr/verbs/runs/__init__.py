"""`sr runs`: run folders as a table, chosen, ordered, seeds put together, compared."""
