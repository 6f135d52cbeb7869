"""`sr upscale`: pictures and videos in, larger ones out."""
