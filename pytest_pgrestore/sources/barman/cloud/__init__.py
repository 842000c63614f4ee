"""Object stores written by barman-cloud."""
