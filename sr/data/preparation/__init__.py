"""Making training material from videos, photos and single pictures: frames, crops, noise patches, blur kernels."""
