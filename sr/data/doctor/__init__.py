"""`sr doctor`: is it safe to train on these folders? Reads every file behind limits and says what is wrong with it.

- ``listing``: every file below the folders.
- ``guarded``: worker processes that may hang, crash or run out of memory.
- ``inspect``: what one file holds; ``spectrum`` whether it was upscaled before; ``alignment`` whether a
  low-resolution file is the twin of its high-resolution one.
- ``duplicates``: files with the same or nearly the same pixels.
- ``verdict``: one verdict per file, and whether training would be safe.
"""
