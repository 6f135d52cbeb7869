"""Losses: one per file, (prediction, target) to a scalar; and the objective that sums them."""
