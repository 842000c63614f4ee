"""The sandbox that is a process of this machine."""
