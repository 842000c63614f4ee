"""Source `pgbackrest`: backups of a stanza, restored by pgBackRest itself."""
