"""`pgrestore doctor`: a file for each subject that it examines."""
