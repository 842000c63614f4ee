"""Judging a drill: where recovery ended, and whether RTO, RPO and the age of the backup hold."""
