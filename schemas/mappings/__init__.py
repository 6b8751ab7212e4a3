"""Other standards, and how the record goes into them and comes out of them."""
