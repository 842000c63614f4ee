"""What must be true of the data, written in SQL and TOML: read, asked, compared, worded."""
