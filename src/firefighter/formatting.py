"""The formatter of events: one line of JSON for any log record."""

from firefighter._event.formatter import JSONFormatter

__all__ = ['JSONFormatter']
