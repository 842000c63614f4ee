"""Source `barman`: backups in a Barman home or in an object store, restored by Barman itself."""
