"""Emergency access: named sections are read for a few hours because life is at stake; nothing can be done with it."""
