"""The record of a run on disk: JSON read back, and its schema."""
