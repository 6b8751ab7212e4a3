"""The record in the words of other standards."""
