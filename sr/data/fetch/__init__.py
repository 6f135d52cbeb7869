"""Public data sets from the network: downloads that go on where they stopped, and archives."""
