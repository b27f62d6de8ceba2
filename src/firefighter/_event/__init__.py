"""A log record becomes an event: one line of JSON, never too long, with an id where it is to have one."""
