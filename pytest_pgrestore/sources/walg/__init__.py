"""Source `walg`: backups of WAL-G, from the file system or a store."""
