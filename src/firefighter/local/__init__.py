"""An embedded Amazon Data Firehose: a real HTTP server on loopback that delivers into a folder.

It speaks Firehose's JSON 1.1 protocol as boto3 sends and parses it, refuses what AWS refuses, buffers as Firehose
does, and can be told to misbehave. Its parts, from the wire to the disk:

    server -> faults -> service -> streams -> buffering -> destinations -> folder

Only `server` needs aiohttp, and it is imported when an endpoint starts.
"""

from firefighter.local.accounts import Account
from firefighter.local.client import EndpointError, LocalFirehoseClient
from firefighter.local.endpoint import LocalFirehose
from firefighter.local.process import LocalFirehoseProcess

__all__ = ['Account', 'EndpointError', 'LocalFirehose', 'LocalFirehoseClient', 'LocalFirehoseProcess']
