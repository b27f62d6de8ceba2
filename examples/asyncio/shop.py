# cd examples/asyncio && python shop.py
"""A server of asyncio, without a framework; in another shell: `echo order 17 | nc localhost 8000`.

SIGTERM ends it as its last line would, so Python runs its exit functions, and what is pending is delivered. Set
FIREFIGHTER_SPOOL_DIR, and neither a kill nor a second SIGTERM meanwhile loses anything.
"""

import asyncio
import logging
import signal

from firefighter.logging import FirehoseHandler

logger = logging.getLogger('shop')
logger.setLevel(logging.INFO)
logger.addHandler(FirehoseHandler('bar', fields={'service': 'shop'}))


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        logger.info(line.decode().strip())  # no I/O: it does not hold up the loop
        writer.write(b'received\n')
    writer.close()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(answer, '127.0.0.1', 8000)
    await stop.wait()
    server.close()


asyncio.run(main())
