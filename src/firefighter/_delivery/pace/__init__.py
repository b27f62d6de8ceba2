"""When the next request may start after a failure, and how much a throttled stream takes."""
