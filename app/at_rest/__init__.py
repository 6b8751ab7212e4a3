"""The log: append-only, one entry for every disclosure, change, refusal and administrative act."""
