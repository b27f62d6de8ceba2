"""Do what comes line by line, by aioboto3, and answer each line with one of JSON: see test_sdks.py."""

from __future__ import annotations

import asyncio
import json
import sys

import aioboto3
from botocore import xform_name
from botocore.exceptions import ClientError


async def answer(client, line):
    """Return what came of one call."""
    operation, parameters = json.loads(line)
    try:
        return {'answer': await getattr(client, xform_name(operation))(**parameters)}
    except ClientError as error:
        return {'error': type(error).__name__, 'message': error.response['Error']['Message']}


async def main():
    """Use one client until there are no more lines."""
    async with aioboto3.Session().client('firehose') as client:
        for line in sys.stdin:
            print(json.dumps(await answer(client, line), default=str), flush=True)  # noqa: T201


asyncio.run(main())
