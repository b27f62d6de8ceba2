"""Delivery: from the spool to Firehose, on a thread of its own."""
