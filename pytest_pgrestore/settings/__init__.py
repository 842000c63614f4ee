"""The settings: all that a user can set, and which place wins."""
