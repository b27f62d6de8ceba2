"""The spool: the queue between the application's threads and delivery, in mapped memory."""
