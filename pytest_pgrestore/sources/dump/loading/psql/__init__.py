"""psql's view of plain SQL, and which of its commands a dump may hold."""
