"""Base backups: what pg_basebackup took, laid out as a data directory."""
