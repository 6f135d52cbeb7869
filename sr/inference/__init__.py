"""Networks in, pictures out: nothing here knows how a network was trained."""
