"""The parts of `firefighter demo`: a small web service under real traffic, and the account of its log events.

    traffic --HTTP--> shop (several processes) --FirehoseHandler, boto3, HTTP--> local endpoint --> files
                                                                                                      |
    screen <-- account <-- delivered (the files read back) <------------------------------------------'

`performance` knows them all and runs them in order. Only `shop`, `service` and `traffic` need aiohttp, only
`screen` needs rich.
"""
