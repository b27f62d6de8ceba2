"""The rest of the project: one page, `/orders/17`."""

import logging
import os

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

logger = logging.getLogger('shop')


def order(request: HttpRequest, number: int) -> HttpResponse:  # noqa: ARG001  # Django gives it
    logger.info('order %d', number)
    return HttpResponse('received\n')


urlpatterns = [path('orders/<int:number>', order)]

os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'
application = get_wsgi_application()
