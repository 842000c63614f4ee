"""Keeping the restored copy away from the world."""
