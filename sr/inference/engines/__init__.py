"""What computes a network."""
