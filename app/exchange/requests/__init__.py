"""Requests about data, each with a clock: a holder is asked to erase, a lead to correct, an author to explain."""
