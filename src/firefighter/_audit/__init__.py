"""What `firefighter audit` does: read what was delivered, and account for every event id."""
