"""Receipts for what was done, and the sealed log's checkpoints and proofs."""
