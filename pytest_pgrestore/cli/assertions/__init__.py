"""`pgrestore assertions`: restores a backup, and proposes a first drill file from what is in it."""
