"""A first drill file: looks at a restored database, and proposes assertions that are true of it."""
