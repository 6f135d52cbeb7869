"""What may be done to a picture after the network: gentle denoising, contrast, dither."""
