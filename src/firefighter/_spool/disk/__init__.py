"""The spool on disk: directories, locks, other processes, and what the dead have left."""
