"""Makes a boto3 client put records at less than half of the cost, by botocore's own events.

Delivery computes with the interpreter lock, so the application waits for it. Of that, botocore took four fifths: it walks the
request's and the answer's model for each record, 5.6 us of 6.5 for an event. Both are plain JSON of one shape. So the body
is written here, and the answer read by orjson: 2.3 us (`python -m benchmarks.delivery`). What botocore is there for
(endpoint, credentials, signature, connections, errors) stays botocore's.

For large records it is not the sum that matters but the longest stretch with the lock: botocore's json.dumps looks for what to
escape in 5 MB at once, for 20 ms. Here a record is encoded by a call of its own, 1 ms for 1,000 KiB, and the body joined
once. With pybase64, which has it encoded 50 times faster, what is left is the system's work for the memory
(`python -m benchmarks.interpreter_lock`).
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson

try:
    from pybase64 import b64encode  # with the processor's instructions for many bytes at once
except ModuleNotFoundError:
    b64encode = partial(b2a_base64, newline=False)

__all__ = ['use_fast_json']

_OPERATION = 'firehose.PutRecordBatch'
_KEPT = 'firefighter'
_OK = 200


def use_fast_json(client: Any) -> None:
    """Have a client of ours take the short way; one that speaks another protocol than AWS's JSON goes on as it is."""
    # Looked for with care: a session of the user's may be a double in a test, and make anything.
    model = getattr(getattr(client, 'meta', None), 'service_model', None)
    # Newer versions of botocore choose among several protocols, and have another name for the choice.
    protocol = getattr(model, 'resolved_protocol', None) or getattr(model, 'metadata', {}).get('protocol')
    if protocol != 'json':
        return
    events = client.meta.events
    # The last of the hooks with the parameters: what a user's session has registered sees the records still.
    events.register_last(f'provide-client-params.{_OPERATION}', _keep_back)
    events.register_first(f'before-call.{_OPERATION}', _write_body)
    events.register_last(f'before-parse.{_OPERATION}', _read_answer)


def _keep_back(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    """Give botocore a request without records to walk; the context goes with the one request."""
    context[_KEPT] = params
    return {**params, 'Records': []}


def _write_body(params: dict[str, Any], context: Mapping[str, Any], **_: object) -> None:
    """Write the body, before it is signed."""
    kept = context.get(_KEPT)
    if kept is not None:
        params['body'] = _body(kept['DeliveryStreamName'], kept['Records'])


def _body(stream: str, records: Sequence[Mapping[str, bytes]]) -> bytes:
    """Return the body that botocore would write. It is joined once: to copy a megabyte takes half a millisecond."""
    pieces = [b'"}, {"Data": "'] * (2 * len(records) + 1)
    pieces[0] = b'{"DeliveryStreamName": %b, "Records": [{"Data": "' % json.dumps(stream).encode()
    pieces[1::2] = [b64encode(record['Data']) for record in records]
    pieces[-1] = b'"}]}'
    return b''.join(pieces)


def _read_answer(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Read the answer; an error, or what is no JSON, is botocore's to read."""
    if response_dict['status_code'] != _OK:
        return
    try:
        answer = orjson.loads(response_dict['body'])
    except orjson.JSONDecodeError:
        return
    if isinstance(answer, dict):
        customized_response_dict.update(answer)
        response_dict['body'] = b'{}'
