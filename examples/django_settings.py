"""The logging part of a Django project's settings.py.

Django passes LOGGING to `logging.config.dictConfig`. Set FIREFIGHTER_DISABLED=1 on developers' machines and in tests.
"""

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
