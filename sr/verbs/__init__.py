"""What people type: a file or a folder per verb."""
