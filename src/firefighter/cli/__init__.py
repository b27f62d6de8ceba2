"""The `firefighter` command: one file for each of its subcommands."""
