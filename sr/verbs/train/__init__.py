"""`train.py`: sessions of one run or a sweep."""
