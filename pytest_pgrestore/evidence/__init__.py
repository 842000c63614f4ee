"""The record of a run as a file: JSON read back, and its schema."""
