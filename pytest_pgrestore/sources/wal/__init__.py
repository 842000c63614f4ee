"""Archived WAL of any source: its segments, whether they are sound, and where recovery can stop."""
