"""Hostile and damaged input for every parser: hypothesis, and mutations of real files."""
