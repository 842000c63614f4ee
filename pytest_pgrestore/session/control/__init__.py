"""The start and the end of a run, in each of its processes."""
