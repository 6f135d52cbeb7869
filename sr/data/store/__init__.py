"""Pictures decoded once into a memory-mapped store."""
