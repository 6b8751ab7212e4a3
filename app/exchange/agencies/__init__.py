"""The directory: agencies, their service points, and whom to call; an agency keeps its own duty contacts."""
