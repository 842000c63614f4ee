"""What the tests of drills found, and what reports may show of it."""
