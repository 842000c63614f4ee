"""`pgrestore init`: the first settings, tests and recipe of a project, from what is there."""
