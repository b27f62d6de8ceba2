"""What has to do with other libraries: one module for each of them, imported by whoever has it.

Two of them need `pip install 'firefighter[prometheus]'` and `pip install 'firefighter[opentelemetry]'`.
`metrics` says which of a handler's numbers is which metric; `prometheus` and `opentelemetry` say it in their words. `opentelemetry_logs` exports OpenTelemetry's log records. `loguru` hands on
what loguru logs, and structlog logs by `structlog`. `queue` is for the standard library's own queue of records.
"""
