"""How the worker's jobs take rows: one at a time, so that one that cannot be done keeps nobody else waiting."""
