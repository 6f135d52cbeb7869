"""What networks and losses alike know of ImageNet's classifiers."""

IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of red, green and blue, in [0, 1], in the pictures that torchvision's networks learned from."""

VGG16 = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
VGG19 = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
"""Widths of the convolutions in each block, a pooling after each (Simonyan and Zisserman 2014, arXiv 1409.1556)."""
