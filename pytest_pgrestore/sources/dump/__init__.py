"""Dumps of pg_dump and pg_dumpall, loaded into an empty cluster."""
