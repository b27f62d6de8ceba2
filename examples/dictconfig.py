"""Configure logging with a dict of plain values. A settings file in JSON could hold the same dict."""

import logging
import logging.config

logging.config.dictConfig(
    {
        'version': 1,
        'disable_existing_loggers': False,
        'handlers': {
            'firehose': {
                'class': 'firefighter.logging.FirehoseHandler',
                'level': 'INFO',
                'delivery_stream_name': 'bar',
                'region_name': 'eu-west-1',
                'fields': {'service': 'shop', 'env': 'prod'},
                'include': ['host', 'pid'],
                'oversize': 'keep',
            },
        },
        'root': {'level': 'INFO', 'handlers': ['firehose']},
    }
)

logging.getLogger('shop.orders').info('order received', extra={'order_id': 'o-17', 'items': 3})
