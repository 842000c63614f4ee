"""Built-in checks: a connection in, a result out."""
