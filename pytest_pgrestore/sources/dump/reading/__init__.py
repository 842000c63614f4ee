"""Reading a dump before it is loaded: its form, its facts, its end, its table of contents."""
