"""Reading a PostgreSQL server from outside: its log, its control file, its superuser."""
