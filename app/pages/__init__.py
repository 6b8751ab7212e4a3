"""Pages for people: the documentation, the problems' pages. Everything they need is served from the package."""
