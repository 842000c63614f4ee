"""Small production worlds for the demo, the scenarios and the tests: server, data, accident."""
