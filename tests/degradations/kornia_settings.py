"""Settings with which every class of kornia changes a picture; the tests of stages and of augmentations walk them."""

SETTINGS = {
    "ColorJiggle": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1},
    "ColorJitter": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1},
    "RandomAffine": {"degrees": 10, "translate": [0.1, 0.1], "scale": [0.9, 1.1], "padding_mode": "reflection"},
    "RandomBrightness": {"brightness": [0.8, 1.2]},
    "RandomClahe": {"clip_limit": [1, 8], "grid_size": [2, 2]},
    "RandomContrast": {"contrast": [0.8, 1.2]},
    "RandomElasticTransform": {"kernel_size": [15, 15], "sigma": [4, 4]},
    "RandomFisheye": {"center_x": [-0.3, 0.3], "center_y": [-0.3, 0.3], "gamma": [0.9, 1]},
    "RandomGamma": {"gamma": [0.8, 1.2]},
    "RandomGaussianBlur": {"kernel_size": [5, 5], "sigma": [0.5, 2]},
    "RandomGaussianNoise": {"std": 0.1},
    "RandomHue": {"hue": [-0.1, 0.1]},
    "RandomJPEG": {"jpeg_quality": [30, 90]},
    "RandomMotionBlur": {"kernel_size": [3, 9], "angle": [-45, 45], "direction": [-1, 1]},
    "RandomPosterize": {"bits": [2, 6]},
    "RandomRain": {"number_of_drops": [20, 40]},
    "RandomRotation": {"degrees": 10},
    "RandomRotation90": {"times": [0, 3]},
    "RandomSaturation": {"saturation": [0.5, 1.5]},
    "RandomShear": {"shear": 10},
    "RandomSnow": {"snow_coefficient": [0.4, 0.6], "brightness": [1.5, 3]},
    "RandomTranslate": {"translate_x": [-0.1, 0.1]},
}
UNDRAWN = {
    "RandomAutoContrast",
    "RandomBoxBlur",
    "RandomEqualize",
    "RandomGrayscale",
    "RandomInvert",
    "RandomMedianBlur",
}
"""Nothing is drawn for these but whether they happen."""
