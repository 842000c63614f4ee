"""The Docker daemon: connection, images, containers, commands in them, and their removal."""
