"""The drills of one pytest run."""
