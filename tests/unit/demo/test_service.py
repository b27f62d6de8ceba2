"""Is every record of a worker numbered, and only once?"""

import logging

from firefighter._demo.service import Numbered


def test_records_are_numbered_from_1():
    """The last number is what must arrive."""
    numbered = Numbered()
    records = [logging.makeLogRecord({}) for _ in range(3)]

    assert all(numbered.filter(record) for record in records)
    assert [record.number for record in records] == [1, 2, 3]
    assert numbered.logged == 3
