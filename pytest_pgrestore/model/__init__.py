"""Values of the domain: immutable, standard library only, importable from everywhere."""
