"""The record of all runs: one immutable file per run, in a directory or an object store."""
