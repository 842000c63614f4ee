"""The results of the tests of drills, and what pytest's reports may show of them."""
