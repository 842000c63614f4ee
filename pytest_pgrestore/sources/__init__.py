"""Where backups live, and the tools that restore them: one file per tool."""
