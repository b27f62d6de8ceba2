# cd examples/django && gunicorn --preload --workers 2 shop:application
"""A Django project's settings, of which only LOGGING matters here: Django passes it to `logging.config.dictConfig`.

When a worker ends (stop, reload), it delivers what it has logged. Set FIREFIGHTER_SPOOL_DIR, and a kill loses nothing either.
Set FIREFIGHTER_DISABLED=1 on developers' machines and in tests.
"""

ROOT_URLCONF = 'shop'
ALLOWED_HOSTS = ['localhost', '127.0.0.1']

LOGGING = {
    'version': 1,
    'disable_existing_loggers': False,
    'filters': {},
    'handlers': {
        'console': {'class': 'logging.StreamHandler', 'level': 'WARNING'},
        'firehose': {
            'class': 'firefighter.logging.FirehoseHandler',
            'level': 'INFO',
            'delivery_stream_name': 'bar',
            'region_name': 'eu-west-1',
            'fields': {'service': 'shop', 'env': 'prod'},
        },
    },
    'loggers': {
        'django': {'level': 'INFO', 'handlers': ['console', 'firehose'], 'propagate': False},
    },
    'root': {'level': 'INFO', 'handlers': ['console', 'firehose']},
}
