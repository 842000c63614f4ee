"""Source `command`: three commands of the user's own list backups, fetch one, and bring WAL."""
