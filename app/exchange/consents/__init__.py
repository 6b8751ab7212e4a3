"""Consents: what a person agreed to have disclosed, to whom and for what."""
