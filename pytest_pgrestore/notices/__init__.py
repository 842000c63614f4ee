"""Tells other systems that a run began and how it ended. It never changes a verdict."""
