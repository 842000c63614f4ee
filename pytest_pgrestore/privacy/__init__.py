"""What may be shown: no value of a row, no secret."""
