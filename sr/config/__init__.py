"""From words on the command line and in conf/ to checked objects."""
