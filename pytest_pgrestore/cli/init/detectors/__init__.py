"""What is there to restore: a file for each kind of backup."""
