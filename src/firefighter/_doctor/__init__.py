"""What `firefighter doctor` does: look at everything that delivery to a stream depends on, and say what to do."""
