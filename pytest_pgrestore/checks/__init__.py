"""Built-in checks: a connection or a listing of files in, a result out."""
