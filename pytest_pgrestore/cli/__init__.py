"""What the console script `pgrestore` does, a file a command: everything that is not a test run."""
