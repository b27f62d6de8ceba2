"""A Java service's log: plain lines, and among them stack traces, each one entry of many lines."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.logs.chance import Chance, Clock

__all__ = ['java']

_CLASSES = (
    'OrderService', 'PaymentGateway', 'InventoryClient', 'PriceRepository', 'CartController', 'UserSessionFilter',
    'ShippingQuoteService', 'CatalogIndexer', 'CouponValidator', 'InvoiceRenderer', 'StockReservationJob', 'AddressLookup',
)  # fmt: skip
_PACKAGES = (
    'order',
    'payment',
    'inventory',
    'pricing',
    'web',
    'session',
    'shipping',
    'catalog',
    'billing',
    'jobs',
)
_METHODS = (
    'handle', 'process', 'reserve', 'findById', 'validate', 'execute', 'lambda$submit$3', 'doFilter', 'invoke', 'apply',
    'fetchAll', 'save', 'render', 'lookup', 'call', 'refresh',
)  # fmt: skip
_ERRORS = (
    'java.net.SocketTimeoutException: Read timed out',
    'java.lang.NullPointerException: Cannot invoke "String.length()" because "address" is null',
    'java.lang.IllegalStateException: Reservation {} is not open',
    'org.postgresql.util.PSQLException: ERROR: could not serialize access due to concurrent update',
    'java.util.concurrent.TimeoutException: Timeout after 5000 ms waiting for order {}',
    'com.fasterxml.jackson.core.JsonParseException: Unexpected character at [line: 1, column: {}]',
    'java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available after {} ms',
)
_FRAMEWORK = tuple(
    f'{place}({place.split(".")[-2]}.java:{line})'
    for place, line in (
        ('org.springframework.aop.framework.ReflectiveMethodInvocation.proceed', 184),
        ('org.springframework.transaction.interceptor.TransactionInterceptor.invoke', 119),
        ('org.springframework.web.method.support.InvocableHandlerMethod.doInvoke', 255),
        ('org.springframework.web.servlet.DispatcherServlet.doDispatch', 1089),
        ('org.springframework.web.servlet.FrameworkServlet.service', 885),
        ('org.apache.catalina.core.ApplicationFilterChain.doFilter', 166),
        ('org.apache.catalina.core.StandardWrapperValve.invoke', 167),
        ('org.apache.catalina.core.StandardHostValve.invoke', 115),
        ('org.apache.coyote.http11.Http11Processor.service', 389),
        ('org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun', 1741),
        ('org.apache.tomcat.util.threads.ThreadPoolExecutor.runWorker', 1190),
        ('java.base/java.lang.Thread.run', 840),
    )
)
_MESSAGES = (
    'Order {} accepted for customer {}', 'Reserved {} items in warehouse {}', 'Quote {} took {} ms', 'Cache refreshed, {} entries, {} stale',
    'Retrying payment {} (attempt {})', 'Slow query: {} ms, {} rows', 'Session {} of user {} renewed', 'Message {} consumed at offset {}',
)  # fmt: skip


def java(chance: Chance) -> Iterator[str]:
    """Yield entries; one in six has a stack trace."""
    clock = Clock(chance, 120.0)
    while True:
        time = f'{clock.tick():%Y-%m-%d %H:%M:%S,%f}'[:-3]
        thread = f'http-nio-8080-exec-{chance.randrange(200)}'
        where = f'c.acme.shop.{chance.common(_PACKAGES)}.{chance.common(_CLASSES)}'
        request = f'[{chance.hexadecimal(16)}]'
        if chance.random() < 1 / 6:
            yield f'{time} ERROR [{thread}] {request} {where} - Request failed\n' + '\n'.join(_trace(chance))
        else:
            message = chance.common(_MESSAGES).format(chance.rank(3_000_000), chance.rank(90_000))
            yield f'{time} {chance.common(("INFO ", "DEBUG", "WARN "))} [{thread}] {request} {where} - {message}'


def _trace(chance: Chance) -> Iterator[str]:
    yield chance.common(_ERRORS).format(chance.rank(3_000_000))
    own = _frames(chance, 3 + chance.rank(14))
    yield from own
    yield from (f'\tat {frame}' for frame in _FRAMEWORK[chance.rank(4) :])
    if chance.random() < 0.4:
        yield f'Caused by: {chance.common(_ERRORS).format(chance.rank(3_000_000))}'
        yield from _frames(chance, 2 + chance.rank(6))
        yield f'\t... {len(own) + len(_FRAMEWORK) - chance.rank(8)} more'


def _frames(chance: Chance, count: int) -> list[str]:
    return [_frame(chance) for _ in range(count)]


def _frame(chance: Chance) -> str:
    package, name, method = chance.common(_PACKAGES), chance.common(_CLASSES), chance.common(_METHODS)
    # A call is always in the same line.
    line = sum(map(ord, package + name + method)) * 7 % 400 + chance.rank(3) * 11 + 20
    return f'\tat com.acme.shop.{package}.{name}.{method}({name}.java:{line})'
