"""Start and end of a run, in each of its processes."""
