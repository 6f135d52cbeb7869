"""Lightning callbacks on the updates clock."""
