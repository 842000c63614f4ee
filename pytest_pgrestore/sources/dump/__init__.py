"""Dumps: what pg_dump and pg_dumpall wrote, loaded into an empty cluster."""
