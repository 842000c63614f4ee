"""A run as spans: the run, its drills, their phases."""
