"""Retention and erasure: what is kept how long and why, the job that erases it, the list that outlives the database."""
