"""Links: cases that belong together, known to each side without the other's case."""
