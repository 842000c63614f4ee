"""Restore as a list of phases; the quarantine; the instance that comes out."""
