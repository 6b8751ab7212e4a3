"""Cases: one person's way through assistance, with exactly one lead at every instant."""
