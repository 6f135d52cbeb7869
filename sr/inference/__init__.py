"""A trained network at work: pictures, folders, video, other programs."""
