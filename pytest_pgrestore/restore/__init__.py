"""How a backup is restored, kept away from the world, and measured. A drill begins in drill.py."""
