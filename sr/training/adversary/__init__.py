"""An adversary: a discriminator, its objective, what it sees, when it learns, and with what optimiser."""
