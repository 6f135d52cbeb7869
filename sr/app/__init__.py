"""The application room: the only one that knows Hydra and the command line."""
