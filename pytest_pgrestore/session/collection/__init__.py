"""Items that pytest collects for drills."""
