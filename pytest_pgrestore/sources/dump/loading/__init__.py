"""Loading a dump into a server: options, psql, pg_restore, and their messages."""
