"""What verbs show: tables, contact sheets, progress."""
