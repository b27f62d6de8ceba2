"""Ship application logs to Amazon Data Firehose.

The door is `firefighter.logging.FirehoseHandler`. Importing this package starts nothing, reads nothing and
imports no boto3.
"""

__all__ = ['__version__']

__version__ = '1.0.0.dev0'
