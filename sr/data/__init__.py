"""Pictures: sources, the decode-once store, crops, the data module."""
