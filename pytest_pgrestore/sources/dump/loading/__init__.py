"""Loading a dump into a server."""
