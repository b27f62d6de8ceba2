# cd examples/flask && gunicorn --worker-class gthread --workers 2 --threads 4 shop:app
"""A Flask application under gunicorn, in threads.

When a worker ends (stop, reload), it delivers what it has logged. Set FIREFIGHTER_SPOOL_DIR, and a kill loses nothing either.
"""

import logging

from flask import Flask

from firefighter.logging import FirehoseHandler

logger = logging.getLogger()
logger.setLevel(logging.INFO)
logger.addHandler(FirehoseHandler('bar', fields={'service': 'shop'}, include=['thread']))

app = Flask(__name__)


@app.get('/orders/<int:number>')
def order(number: int) -> str:
    app.logger.info('order %d', number)
    return 'received\n'
