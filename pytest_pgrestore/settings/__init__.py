"""Everything a user can set, and which place wins."""
