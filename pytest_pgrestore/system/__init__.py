"""The operating system: processes, waiting, signals, accounts, networks."""
