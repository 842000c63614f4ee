"""Base backups of pg_basebackup, laid out as a data directory."""
