"""Drills that are too slow for each run of the tests: `make regression`."""
