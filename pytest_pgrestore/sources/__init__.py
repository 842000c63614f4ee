"""Where backups are, and how each kind is read and restored. One folder for each type of source.

`protocol` is what the rest of the package knows of a source. `registry` makes a source from its
settings. `wal` reads archived WAL for every source that has some.
"""
