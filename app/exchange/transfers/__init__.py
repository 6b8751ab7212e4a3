"""Transfers: handing over responsibility for a case."""
