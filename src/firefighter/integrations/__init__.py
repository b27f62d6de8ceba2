"""What other libraries see of the handlers: one module for each of them, imported by whoever has it.

They need `pip install 'firefighter[prometheus]'` and `pip install 'firefighter[opentelemetry]'`.
`metrics` says which of a handler's numbers is which metric; `prometheus` and `opentelemetry` say it in their words.
"""
