# cd examples/fastapi && uvicorn --workers 2 shop:app
"""A FastAPI application under uvicorn.

After its own shutdown uvicorn ends itself by the signal that it got, so Python runs no exit functions. That is why the lifespan
closes the handler. Set FIREFIGHTER_SPOOL_DIR, and a kill loses nothing either.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from firefighter.logging import FirehoseHandler

handler = FirehoseHandler('bar', fields={'service': 'shop'})
logger = logging.getLogger()
logger.setLevel(logging.INFO)
logger.addHandler(handler)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001  # FastAPI gives it
    # uvicorn's loggers have handlers of their own by now, and do not propagate: tracebacks and the access log.
    logging.getLogger('uvicorn').addHandler(handler)
    logging.getLogger('uvicorn.access').addHandler(handler)
    yield
    handler.close()


app = FastAPI(lifespan=lifespan)


@app.get('/orders/{number}')
async def order(number: int) -> str:
    logging.getLogger('shop').info('order %d', number)
    return 'received'
