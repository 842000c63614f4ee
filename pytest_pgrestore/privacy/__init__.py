"""What may be shown: no row value, and no secret."""
