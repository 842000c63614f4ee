"""Reading a dump before it is loaded."""
