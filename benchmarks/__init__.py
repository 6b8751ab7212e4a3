"""Benchmarks, run by hand: `make bench`. Every figure is a ratio within one run; the machines are noisy."""
