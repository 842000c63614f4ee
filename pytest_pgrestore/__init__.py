"""pytest-pgrestore: prove that PostgreSQL backups restore. Public names only, nothing heavy."""

__version__ = "0.1.0"
