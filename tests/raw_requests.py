"""Requests to the local endpoint that no SDK would send."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import orjson

PUT = {'X_Amz_Target': 'Firehose_20150804.PutRecord', 'Authorization': 'any'}
JSON = {'Content_Type': 'application/json'}


def ask(url: str, method: str, path: str, body: bytes = b'', **headers: str) -> tuple[int, Any]:
    """Send a request, and return the status and what the answer's JSON says; None for another answer.

    A header `Host` takes the place of the one that a client would send; the underscores of a name become hyphens.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or '', address.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host='Host' in headers)
        for name, value in headers.items():
            connection.putheader(name.replace('_', '-'), value)
        connection.putheader('Content-Length', str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    return response.status, orjson.loads(text) if 'json' in response.headers.get_content_type() else None
