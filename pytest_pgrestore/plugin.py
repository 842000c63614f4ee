"""pytest hooks; each delegates."""
