"""Small production worlds: cluster, workload, backup, accident."""
