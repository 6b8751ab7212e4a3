"""Limits: token buckets that all processes share, places for requests at once in each process, and counts of refusals."""
