"""The same creation, written the way the frameworks' own guides write it."""
