"""What measures need of a run and of its validation pictures, for the sentence where one could not be taken."""

_PERCEPTION = "AlexNet's weights (SR_WEIGHTS=FOLDER, before it is measured) and pictures of 31x31 pixels"
_SIDES = "a network that translates between two sides (model=cyclegan)"
NEEDS = {
    "edge_slope": "edges in the network's pictures where the true ones have strong edges",
    "ringing": "strong edges in the true pictures",
    "line_width": "dark lines in the true pictures that the network's have too",
    "flat_noise": "flat areas in the true pictures",
    "lpips": _PERCEPTION,
    "lpips_gain": _PERCEPTION,
    "robustness": "the same set with more noise",
    "d_loss": "a discriminator that has learnt",
    "d_won": "a discriminator that has learnt",
    "rest_share": "a discriminator that may rest",
    "noise_content": "patches of noise",
    "wobble": "four validations",
    "pace": "a row of the log",
    "worst_lpips": _PERCEPTION,
    **dict.fromkeys(("cycle_psnr", "cycle_ssim", "identity_error", "colour_shift", "mesh"), _SIDES),
    "g_left": "two rows of the log, and a loss above 0",
    "largest_total": "a row of the log",
}
"""What a measure needs of a run; all others need pictures that are finite."""
