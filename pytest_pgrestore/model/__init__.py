"""Values of the domain: immutable, standard library only. Every room may import them."""
