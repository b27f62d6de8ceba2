"""How events may travel to a stream's destination: functions of what DescribeDeliveryStream says, and nothing else.

The handler and `firefighter doctor` go by the same rules, so that what the one advises the other never warns of.
"""
