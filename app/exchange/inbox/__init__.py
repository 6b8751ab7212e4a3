"""The work list: what waits for an agency, over every kind of thing that can wait."""
