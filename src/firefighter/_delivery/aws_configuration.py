"""Finds out what botocore will find in the environment and in AWS's configuration files, in its order, without importing it.

Needed where a spool's destination is told: at the first event of a handler with `spool_dir`, which must not wait a tenth of a second
for botocore. The order: botocore's `configprovider.py` and `credentials.py`; the files: AWS SDKs and Tools Reference Guide,
"Shared config and credentials files".
"""

from __future__ import annotations

import configparser
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

__all__ = ['AwsConfiguration', 'read_configuration']

_FILES = {'AWS_CONFIG_FILE': '~/.aws/config', 'AWS_SHARED_CREDENTIALS_FILE': '~/.aws/credentials'}


@dataclass(frozen=True)
class AwsConfiguration:
    """What is configured for Firehose. None: nothing.

    Attributes:
        profile: the name of the profile; None for the default one.
        region: the region.
        endpoint_url: the endpoint, where it is not AWS's own.
        endpoint_source: the environment variable that has it, or "the AWS configuration".
        endpoint_variant: "fips", "dualstack" or both, with a space between.
        access_key: the id of the access key: that in the environment, or a permanent one in the files.
        role_arn: the role that a web identity assumes.
        files: where the configuration files are, if not in their usual places.
    """

    profile: str | None
    region: str | None
    endpoint_url: str | None
    endpoint_source: str | None
    endpoint_variant: str | None
    access_key: str | None
    role_arn: str | None
    files: str | None


def read_configuration(profile_name: str | None) -> AwsConfiguration:
    """Read the configuration for a profile; for the environment's if none is given."""
    given = os.environ.get
    profile = profile_name or given('AWS_DEFAULT_PROFILE') or given('AWS_PROFILE') or 'default'
    paths = [Path(given(name) or usual).expanduser().absolute() for name, usual in _FILES.items()]
    config, credentials = map(_sections, paths)
    sections = {_words(name): section for name, section in config.items()}
    # The credentials file comes second, and overrides.
    own = {**sections.get(('profile', profile), {}), **credentials.get(profile, {})}
    services = _nested(sections.get(('services', own.get('services', '')), {}).get('firehose', ''))

    def is_on(variable: str, key: str) -> bool:
        return (given(variable) or own.get(key, '')).lower() == 'true'

    endpoints: dict[str, str | None] = {}
    if not is_on('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'ignore_configured_endpoint_urls'):
        endpoints = {name: given(name) for name in ('AWS_ENDPOINT_URL_FIREHOSE', 'AWS_ENDPOINT_URL')}
        endpoints['the AWS configuration'] = services.get('endpoint_url') or own.get('endpoint_url')
    endpoint_source, endpoint_url = next(filter(itemgetter(1), endpoints.items()), (None, None))
    variants = [
        name
        for name in ('dualstack', 'fips')
        if is_on(f'AWS_USE_{name.upper()}_ENDPOINT', f'use_{name}_endpoint')
    ]
    # A profile that is named in the code comes before keys in the environment, which come before all else.
    access_key = (None if profile_name else given('AWS_ACCESS_KEY_ID')) or _key_in_files(
        credentials.get(profile, {}), own
    )
    return AwsConfiguration(
        profile=None if profile == 'default' else profile,
        region=given('AWS_DEFAULT_REGION') or own.get('region'),
        endpoint_url=endpoint_url,
        endpoint_source=endpoint_source,
        endpoint_variant=' '.join(variants) or None,
        access_key=access_key or None,
        role_arn=None if access_key else given('AWS_ROLE_ARN') or None,
        files=None if access_key else _unusual(paths),
    )


def _key_in_files(credentials: Mapping[str, str], own: Mapping[str, str]) -> str | None:
    """Return the id of the permanent key that a profile has in the files, unless something else comes before it.

    Temporary ones do not tell accounts apart, but the files do that they are in.

    Args:
        credentials: what the profile has in the credentials file.
        own: what it has in both.
    """
    others = {'role_arn', 'web_identity_token_file', 'sso_session', 'sso_start_url'}
    if 'aws_access_key_id' not in credentials:
        others.add('credential_process')
    key = own.get('aws_access_key_id', '')
    if os.environ.get('AWS_ROLE_ARN') or others & own.keys() or not key.startswith('AKIA'):
        return None
    return key


def _sections(path: Path) -> Mapping[str, Mapping[str, str]]:
    """Return a file's sections by their names; none where it cannot be read, which botocore will say, or only once (a pipe)."""
    # No section gives defaults to the others; "%" and "$" are just characters.
    parser = configparser.RawConfigParser(default_section='')
    try:
        parser.read_string(path.read_text('utf-8') if path.is_file() else '')
        return {name: parser[name] for name in parser.sections()}
    except (OSError, ValueError, configparser.Error):
        return {}


def _words(name: str) -> tuple[str, ...]:
    """Return the words of a section's name: `profile` and the profile's, for example; `default` is a profile by itself."""
    try:
        words = shlex.split(name)
    except ValueError:  # an apostrophe: botocore leaves that section out
        return ()
    return ('profile', 'default') if words == ['default'] else tuple(words)


def _unusual(paths: Sequence[Path]) -> str | None:
    """Return where the files are, unless they are in the home of the user's that the system knows, or there are none.

    That of the old `boto` has keys that come last of all.
    """
    home = Path('~').expanduser()
    if sys.platform != 'win32':
        import pwd  # noqa: PLC0415  # not there

        with suppress(KeyError):  # a user whom the system does not know
            home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    unusual = [
        str(path)
        for path, (variable, usual) in zip(paths, _FILES.items(), strict=True)
        if path != home / usual[2:] and (os.environ.get(variable) or path.exists())
    ]
    return os.pathsep.join([*unusual, *filter(None, [os.environ.get('BOTO_CONFIG')])]) or None


def _nested(text: str) -> Mapping[str, str]:
    """Return the settings in an indented block."""
    pairs = (line.partition('=') for line in text.splitlines())
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}
