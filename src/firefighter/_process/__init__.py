"""What all handlers of a process share, or have to mind: its exit, its forks, wake-ups, locks."""
