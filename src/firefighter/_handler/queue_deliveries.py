"""What `batch_sender` delivers from queues of the program's: who delivers which, what an exception has left, and the account of all.

Each call has a delivery: a source, which holds what was got from the queue, and a sender. It is kept here from its beginning until
everything in it is settled. Whether a call is under way shows in its lock alone. So after an exception (Ctrl-C) the next call
for the same queue finds it free, and goes on with it. Two threads that deliver the same queue at once have a delivery each.
"""

from __future__ import annotations

import _thread
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from firefighter._delivery.plain_queue import QueueSource
from firefighter._delivery.sender import Sender
from firefighter._process.lock import locked, make_lock, run_if_free
from firefighter._spool.spool import Account

__all__ = ['QueueDeliveries']


@dataclass(eq=False)
class _Delivery:
    """One call of `batch_sender`, or several of which all but the last were interrupted.

    Attributes:
        key: the queue, by its id, and the stream. The source holds the queue.
        source: what was got from the queue.
        sender: delivers it.
        lock: held by the call that is under way.
        begun: whether a call has ever held it.
    """

    key: tuple[int, str]
    source: QueueSource
    sender: Sender
    lock: _thread.RLock = field(default_factory=make_lock)
    begun: bool = False


class QueueDeliveries:
    """The deliveries of one pipeline."""

    def __init__(self) -> None:
        self._lock = make_lock()
        # The sum for the deliveries that have ended, and the others. One tuple: it is stored at once, so that neither a reader nor an
        # exception comes between.
        self._state: tuple[Account, tuple[_Delivery, ...]] = Account(0, 0, {}, {}, 0), ()

    def deliver(
        self, key: tuple[int, str], make: Callable[[], tuple[QueueSource, Sender]], linger_seconds: float
    ) -> None:
        """Deliver what comes by a queue, in the calling thread, until END; go on with what calls before were interrupted in.

        Args:
            key: the queue, by its id, and the stream.
            make: makes a source, which holds the queue, and its sender.
            linger_seconds: so long after END the rest is given up.
        """
        while not self._try_each(key, linger_seconds, ended=False):
            source, sender = make()
            self._add(_Delivery(key, source, sender))
        # What other threads were interrupted in, who do not come back for it.
        self._try_each(key, linger_seconds, ended=True)

    def total(self) -> Account:
        """Return the account up to this moment.

        Without the lock, because it takes the locks of spools. A thread that holds one of these may be interrupted by a signal
        handler that comes here, and would wait for this lock, whose holder waits for that thread.
        """
        ended, deliveries = self._state
        return _sum(ended, *(delivery.source.spool.account() for delivery in deliveries))

    def _try_each(self, key: tuple[int, str], linger_seconds: float, *, ended: bool) -> bool:
        """Run a delivery that no call is under way with; return whether there was one.

        Args:
            key: as for `deliver`.
            linger_seconds: as for `deliver`.
            ended: run each, without waiting for an END, if a call has begun with it.
        """
        ran = False

        def run() -> None:
            nonlocal ran
            # Another thread may just have ended it.
            if delivery in self._state[1] and (delivery.begun or not ended):
                ran = delivery.begun = True
                delivery.source.ended = False
                if ended:
                    delivery.source.end()
                delivery.sender.run_until_end(linger_seconds)
                self._close(delivery, delivery.source.spool.account())

        for delivery in self._state[1]:
            owned = delivery.lock._is_owned()  # type: ignore[attr-defined]  # noqa: SLF001  # no public way to ask
            # Owned: this is a signal handler, which has interrupted that call.
            if delivery.key == key and not owned and (ended or not ran):
                run_if_free(delivery.lock, run)
        return ran

    @locked
    def _add(self, delivery: _Delivery) -> None:
        ended, deliveries = self._state
        self._state = ended, (*deliveries, delivery)

    @locked
    def _close(self, delivery: _Delivery, account: Account) -> None:
        """Keep the figures of a delivery in which everything is settled, and let go of it."""
        ended, deliveries = self._state
        self._state = _sum(ended, account), tuple(other for other in deliveries if other is not delivery)


def _sum(*accounts: Account) -> Account:
    dropped: Counter[str] = Counter()
    dropped_bytes: Counter[str] = Counter()
    for account in accounts:
        dropped.update(account.dropped)
        dropped_bytes.update(account.dropped_bytes)
    return Account(
        sum(account.accepted for account in accounts),
        sum(account.delivered for account in accounts),
        dropped,
        dropped_bytes,
        sum(account.pending for account in accounts),
    )
