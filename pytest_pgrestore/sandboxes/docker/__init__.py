"""The `docker` sandbox: a throwaway container for each drill."""
