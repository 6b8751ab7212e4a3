"""A file a way to bind a token to the key of whoever it was issued to."""
