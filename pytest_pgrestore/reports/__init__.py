"""Evidence in, text out. Imports the model only."""
