"""`pgrestore demo`: builds backups of a small shop, drills them, and compares the results."""
