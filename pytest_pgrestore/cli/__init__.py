"""The console script `pgrestore`: a file or a folder for each command."""
