"""Pure functions on pictures: reading, colour, resizing."""
