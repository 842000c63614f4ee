"""Throwaway places PostgreSQL runs in."""
