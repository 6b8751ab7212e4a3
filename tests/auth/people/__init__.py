"""The people who administer: what functions do, on the real database."""
