"""Where the Firehose client comes from: it is handed in, made from a session in the constructor, or made late."""

from __future__ import annotations

from firefighter._delivery.transport import ClientOptions, FirehoseClient, make_client

__all__ = ['ClientSource']


class ClientSource:
    """Gives the client when it is called.

    Args:
        given: a ready client of the user's, used as it is.
        options: from what to make one otherwise. A session among them makes its client at once: sessions are not
            thread-safe, so that has to happen in the thread of the one who hands it in.

    Attributes:
        complaints: what the user should be warned of.
    """

    def __init__(self, given: FirehoseClient | None, options: ClientOptions) -> None:
        self.complaints: list[str] = []
        self._options = options
        self._ready = given
        if given is not None and _attempts(given) != 1:
            self.complaints.append(
                'boto3_client keeps its own retries and timeouts beside those of the handler. Make it with '
                "botocore.config.Config(retries={'total_max_attempts': 1, 'mode': 'standard'}), "
                'or hand in a session instead'
            )
        if options.session is not None:
            try:
                self._ready = make_client(options)
            except (
                Exception
            ) as error:  # no region, no profile: the environment lacks something, which never raises
                self.complaints.append(
                    f'no client can be made from boto3_session ({type(error).__name__}: {error}). '
                    'Events are kept, and it is tried again'
                )

    def __call__(self) -> FirehoseClient:
        """Return the ready client, or make one; raises whatever boto3 raises."""
        return self._ready or make_client(self._options)

    def after_fork(self) -> None:
        """Drop the connections of a ready client in a forked child.

        Two processes on one connection take each other's answers. The parent's own descriptors stay open.
        """
        close = getattr(self._ready, 'close', None)
        if callable(close):
            close()


def _attempts(client: object) -> object:
    """Return how often a client tries, as far as it says so; botocore adds the total to its configuration."""
    config = getattr(getattr(client, 'meta', None), 'config', None)
    retries = getattr(config, 'retries', None)
    return retries.get('total_max_attempts') if isinstance(retries, dict) else None
