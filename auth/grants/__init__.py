"""A file a grant of RFC 6749 §4."""
