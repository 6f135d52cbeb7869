"""Networks at work: found by name, on pictures of any size; knows nothing of training."""
