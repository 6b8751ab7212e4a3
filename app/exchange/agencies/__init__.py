"""The directory: agencies and their service points, read-only for callers."""
