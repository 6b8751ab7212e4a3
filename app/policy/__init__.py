"""May you see it: a table that a protection officer can read, and a decision made from it without I/O."""
