"""What is measured, for monitoring: samples, their text, and where they go."""
