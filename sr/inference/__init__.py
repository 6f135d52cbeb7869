"""Networks at work: engines, tiles, ensembles, colour, video, export. Nothing here knows of training."""
