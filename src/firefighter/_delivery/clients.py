"""Makes the Firehose client: at the first request, from a session in the constructor; or takes the one that was handed in.

Of what runs in the application, this module alone imports boto3 and botocore.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import firefighter
from firefighter._delivery.diagnostics import name_error, without_user
from firefighter._delivery.request_json import use_fast_json
from firefighter._delivery.tracing import untraced
from firefighter._process.exit_and_forks import not_forking

if TYPE_CHECKING:
    import boto3.session

    from firefighter._spool.disk.destination import Destination

__all__ = ['ClientFactory', 'ClientOptions', 'FirehoseClient', 'make_client']

# A smaller difference is not worth another client, which takes a twentieth of a second to make.
_NO_DIFFERENCE_SECONDS = 0.25
# The longest time-out of a request that is made by a thread of the program's.
_MOST_SECONDS = 20.0
# `user:password@` after the scheme, where there can be no doubt where it ends.
_CLEAR_USER = re.compile(r'(?<=://)[^/\\?#\s]*@')
# Of temporary keys it is known only that there are some: they come before the profile.
_TEMPORARY = 'temporary keys'


class FirehoseClient(Protocol):
    """The one method of a boto3 Firehose client that is used."""

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803  # AWS's name
        Records: Sequence[Mapping[str, bytes]],  # noqa: N803  # AWS's name
    ) -> Mapping[str, Any]:
        """Put the records into the stream."""


@dataclass(frozen=True)
class ClientOptions:
    """The options that a client is made from.

    Attributes:
        session: a session of the user's; None: a new one is made, from `profile_name` if that is given.
        profile_name: a profile of the AWS configuration files; its assumed role refreshes by itself.
        region_name: overrides the session's region.
        endpoint_url: overrides the service's address, as for the local endpoint.
        connect_timeout_seconds: for one try to connect.
        read_timeout_seconds: for each wait for bytes of the answer.
    """

    session: boto3.session.Session | None = None
    profile_name: str | None = None
    region_name: str | None = None
    endpoint_url: str | None = None
    # AWS's own agents wait 5 s and up to a minute; a put answers within 0.2 s, and what waits here only queues.
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 20.0

    def for_attempts_of(self, seconds: float) -> ClientOptions:
        """Return the same for attempts of at most so long: half of it to connect, half for the answer."""
        # None at all would be refused; so short a time is as good.
        half = max(seconds / 2, 0.001)
        return replace(self, connect_timeout_seconds=half, read_timeout_seconds=half)


_loaders: dict[str | None, object] = {}
"""botocore's loaders, which keep the descriptions of AWS's services in memory; by the folder that they look into first."""


@untraced
def make_client(options: ClientOptions) -> FirehoseClient:
    """Make a Firehose client whose only retry layer is ours.

    Sessions are not thread-safe: call this in the user's thread with a session of the user's.

    Raises:
        botocore.exceptions.BotoCoreError: there is no region, no such profile, ...
        ValueError: the endpoint is not a URL.
    """
    with not_forking():
        # The first connection would import this, without regard to forks. A child that is forked meanwhile finds half of it,
        # and then no host's name can be looked up there: "unknown encoding: idna".
        import encodings.idna  # noqa: F401, PLC0415

        from botocore.config import Config  # noqa: PLC0415  # 0.1 s: never before it is needed
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

        session = options.session or _make_session(options.profile_name)
        with suppress(AttributeError):  # a double in a test
            # Makes all that may be asked for credentials, some with a context of OpenSSL, whose locks a child would find taken.
            session._session.get_component('credential_provider')  # noqa: SLF001  # no public way
    # A fork does not wait for this: another process or the network may be asked. The session keeps the answer for its client.
    ask = getattr(session, 'get_credentials', None)
    if ask is not None and ask() is None:
        raise NoCredentialsError
    config = Config(
        # botocore's default went from 5 attempts to 3, and its pauses from seconds to 0.1 s, with version 1.44.
        retries={'total_max_attempts': 1, 'mode': 'standard'},
        connect_timeout=options.connect_timeout_seconds,
        read_timeout=options.read_timeout_seconds,
        # What we send is right by construction; checking 500 records costs a quarter of the request's CPU time.
        parameter_validation=False,
        tcp_keepalive=True,
        user_agent_extra=f'firefighter/{firefighter.__version__}',
    )
    with not_forking():
        client: FirehoseClient = session.client(
            'firehose', region_name=options.region_name, endpoint_url=options.endpoint_url, config=config
        )
    use_fast_json(client)
    return client


def _make_session(profile_name: str | None) -> boto3.session.Session:
    """Make a session that shares botocore's description of the service, which takes 8 MiB for each client otherwise."""
    import boto3.session  # noqa: PLC0415  # as above
    import botocore.session  # noqa: PLC0415

    core = botocore.session.Session()
    session = boto3.session.Session(botocore_session=core, profile_name=profile_name)
    # Another profile may have another folder for it.
    place = core.get_config_variable('data_path')
    core.register_component('data_loader', _loaders.setdefault(place, core.get_component('data_loader')))
    return session


class ClientFactory:
    """Returns the client when it is called.

    Args:
        given: a ready client of the user's, used as it is.
        options: what to make one from otherwise. With a session among them the client is made at once, because sessions are not
            thread-safe: it has to be the thread of the caller.

    Attributes:
        complaints: warnings for the user.
    """

    def __init__(self, given: FirehoseClient | None, options: ClientOptions) -> None:
        self.complaints: list[str] = []
        self._given = given
        self._options = options
        self._ready = given
        self._seen: _Seen | None = None
        if given is not None and _attempts(given) != 1:
            self.complaints.append(
                'boto3_client keeps its own retries and timeouts beside those of the handler. Make it with '
                "botocore.config.Config(retries={'total_max_attempts': 1, 'mode': 'standard'}), "
                'or hand in a session instead'
            )
        if options.session is not None:
            try:
                self._ready = make_client(options)
            except Exception as error:  # no region, no such profile: what the environment lacks never raises
                self.complaints.append(
                    f'no client can be made from boto3_session ({name_error(error)}). '
                    'Events are kept, and it is tried again'
                )
        if self._ready is not None:
            self._seen = _look_at(self._ready, options.session)

    @property
    def owns_client(self) -> bool:
        """Whether the client is ours, not the user's."""
        return self._given is None

    def limit_timeouts(self, attempt_seconds: float) -> bool:
        """Limit the time of an attempt for clients made from now on; return whether that makes a difference."""
        if self._ready:
            return False
        limited = self._options.for_attempts_of(min(attempt_seconds, _MOST_SECONDS))
        now, then = self._options.read_timeout_seconds, limited.read_timeout_seconds
        if now / 2 <= then <= now + _NO_DIFFERENCE_SECONDS:
            return False
        self._options = limited
        return True

    def __call__(self) -> FirehoseClient:
        """Return the ready client, or make one; raises whatever boto3 raises."""
        return self._ready or make_client(self._options)

    def destination(self, stream: str) -> Destination:
        """Return where events go, as far as the arguments and the environment show it, without boto3.

        Temporary keys (ASIA...) change with each start, so accounts are distinguished only by the ids of permanent ones (AKIA...).
        """
        with not_forking():  # 5 ms, which a spool in memory does not need
            from firefighter._delivery.aws_configuration import read_configuration  # noqa: PLC0415
            from firefighter._spool.disk.destination import Destination  # noqa: PLC0415
        options, seen = self._options, self._seen or _Seen()
        configured = read_configuration(options.profile_name or seen.profile)
        key = seen.access_key or configured.access_key or ''
        # A client that was handed in has its own, whatever the environment says.
        endpoint = seen.endpoint_url if self._given else options.endpoint_url or configured.endpoint_url
        return Destination(
            stream=stream,
            region=options.region_name or seen.region or configured.region,
            # It is written into files.
            endpoint_url=_harmless(endpoint) if endpoint else None,
            profile=configured.profile,
            account_or_key=key if key.startswith('AKIA') else _TEMPORARY if key.startswith('ASIA') else None,
            role_arn=None if key else configured.role_arn,
            files=None if key else configured.files,
            endpoint_variant=configured.endpoint_variant,
        )

    def options_of_a_copy(self) -> ClientOptions:
        """Return the options for a copy of the handler, which makes its own client in whatever process it is.

        Raises:
            TypeError: a client or a session was handed in, which has connections and locks.
        """
        if self._given is not None or self._options.session is not None:
            name = 'boto3_session' if self._given is None else 'boto3_client'
            raise TypeError(
                f'a FirehoseHandler with a {name} can be neither pickled nor copied: make it with '
                'boto3_profile_name, region_name or endpoint_url instead, from which each process makes its own client'
            )
        return self._options

    def after_fork(self) -> ClientFactory:
        """Return the factory for a forked child.

        Two processes on one connection would take each other's answers. So a session makes a client anew, and a client
        of the user's drops its connections; the parent's own descriptors stay open. Both happen at the first use:
        in the fork itself, locks of urllib3 may be held by a thread that the child does not have.
        """
        return _InheritedClient(self._given, self._options, self._seen)


class _InheritedClient(ClientFactory):
    def __init__(self, given: FirehoseClient | None, options: ClientOptions, seen: _Seen | None) -> None:
        self.complaints = []
        self._given = given
        self._options = options
        self._seen = seen
        self._ready = None

    def __call__(self) -> FirehoseClient:
        if self._given is None:
            return make_client(self._options)
        close = getattr(self._given, 'close', None)
        if callable(close):
            close()
        return self._given


def _harmless(endpoint: str) -> str:
    """Return an endpoint without its user name and password, and still different from every other endpoint.

    A `/` or a space that nobody has escaped may be in a password, or else what is behind it is not the host. Of such a one 16 bits are added that
    depend on all of it: too few to find a password by. It is no URL then, so that `spool replay` sends nothing to the wrong host.
    """
    clear = _CLEAR_USER.sub('', endpoint)
    if '@' not in clear:
        return clear
    return f'...@{without_user(endpoint)} ({crc_hqx(endpoint.encode("utf-8", "surrogatepass"), 0):04x})'


def _attempts(client: object) -> object:
    """Return how often a client tries, as far as its configuration shows; botocore adds the total to it."""
    config = getattr(getattr(client, 'meta', None), 'config', None)
    retries = getattr(config, 'retries', None)
    return retries.get('total_max_attempts') if isinstance(retries, dict) else None


@dataclass(frozen=True)
class _Seen:
    """What a client that was handed in, or made from a session, shows of its destination.

    Attributes:
        region: its region.
        endpoint_url: its endpoint, AWS's own as well.
        access_key: the id of its key, if that is a permanent one, or was just given.
        profile: the name of the session's profile.
    """

    region: str | None = None
    endpoint_url: str | None = None
    access_key: str | None = None
    profile: str | None = None


def _look_at(client: object, session: object) -> _Seen:
    meta = getattr(client, 'meta', None)
    credentials = getattr(getattr(client, '_request_signer', None), '_credentials', None)
    return _Seen(
        region=_text(getattr(meta, 'region_name', None)),
        endpoint_url=_text(getattr(meta, 'endpoint_url', None)),
        # Not the attribute, which asks the network where credentials are renewed. They have it under another name.
        access_key=_text(getattr(credentials, '__dict__', {}).get('access_key')),
        profile=_text(getattr(session, 'profile_name', None)),
    )


def _text(value: object) -> str | None:
    """Return the value if it is text; an attribute of a double in a test may be anything."""
    return value if isinstance(value, str) else None
