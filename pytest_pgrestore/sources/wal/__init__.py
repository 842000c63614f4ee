"""Archived WAL, whatever keeps it: which segments are there, are they sound, and where can recovery stop."""
