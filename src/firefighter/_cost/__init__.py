"""What logs cost at Amazon Data Firehose: the delivery that the handler runs, played on a log in simulated time, and priced."""
