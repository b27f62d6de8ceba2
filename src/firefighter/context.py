"""Fields for each event of a request, a task or a job, without touching the calls that log.

    from firefighter.context import bind

    with bind(request_id='5f2b', user='ada'):
        logger.info('paid')

The formatter adds them where it is told to: `handler.setFormatter(JSONFormatter(context=['firefighter']))`.
"""

from firefighter._event.bound_fields import Binding, bind, unbind

__all__ = ['Binding', 'bind', 'unbind']
