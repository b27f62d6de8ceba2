"""One handler in one process: its options, its life, and the pipeline that delivers its events."""
