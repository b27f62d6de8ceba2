"""`firefighter doctor`: check everything that delivery to a stream depends on, and print what to do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any

from firefighter._advice.advice import Advice
from firefighter._delivery.clients import ClientOptions
from firefighter._delivery.diagnostics import without_user
from firefighter._doctor.connection import Boto
from firefighter._doctor.examination import examine
from firefighter._doctor.report import Report
from firefighter._doctor.writing import handler_call, update_command
from firefighter._handler.options import check_client_arguments, check_stream_name
from firefighter.cli.output import complain
from firefighter.cli.tables import print_command, print_table, print_text

Client = Mapping[str, str | None]

EPILOG = """\
For example:

  firefighter doctor orders
  firefighter doctor orders --region eu-west-1 --profile shop --send

It checks the credentials, the region, the endpoint, this machine's clock, the permission, the stream, its source and its
destination. It prints which of the handler's options fit that destination, and why; and what it refuses in an event.

It makes one DescribeDeliveryStream request; AWS accepts five of them a second for an account. Delivery does not need the
permission for that request. Without it the doctor prints the arguments that are safe with any destination. --send puts
one record, an event of some 150 bytes, into the stream. It arrives with all other records.

The exit status is 0 when all is well, 1 when something is wrong or could not be checked, and 2 for invalid arguments.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument('stream', metavar='STREAM', help="the delivery stream's name")
    parser.add_argument('--region', help="the stream's region, like the handler's region_name=")
    parser.add_argument('--profile', help='the profile with the credentials, like boto3_profile_name=')
    parser.add_argument(
        '--endpoint-url', help='the endpoint of Firehose, if it is not AWS, like endpoint_url='
    )
    parser.add_argument('--send', action='store_true', help='put a test record into the stream')
    parser.add_argument('--json', action='store_true', help='print all findings as one line of JSON')


def run(arguments: argparse.Namespace) -> int:
    """Examine, print, and return the exit status."""
    client = {
        'region_name': arguments.region,
        'boto3_profile_name': arguments.profile,
        'endpoint_url': arguments.endpoint_url,
    }
    try:
        check_stream_name(arguments.stream)
        check_client_arguments(boto3_client=None, boto3_session=None, **client)
    except ValueError as error:
        complain('doctor', str(error))
        return 2
    options = ClientOptions(None, arguments.profile, arguments.region, arguments.endpoint_url)
    try:
        with closing(Boto(options)) as connection:
            report = examine(
                arguments.stream,
                connection,
                region_given=arguments.region is not None,
                send=arguments.send,
            )
        # It is printed to be pasted, and botocore makes no use of a user name.
        endpoint = arguments.endpoint_url and without_user(arguments.endpoint_url)
        show(report, {**client, 'endpoint_url': endpoint}, as_json=arguments.json)
    except KeyboardInterrupt:
        return 130  # as shells count it
    return int(not report.well)


def show(report: Report, client: Client, *, as_json: bool) -> None:
    """Print what was found.

    Args:
        report: that.
        client: the handler's arguments for its client.
        as_json: in one line, for scripts.
    """
    if as_json:
        print(json.dumps(_as_json(report, client)))
        return
    print_table(
        ('CHECK', 'STATE', 'FOUND'),
        [(check.name, check.state.value, check.found) for check in report.checks],
    )
    cures = [check for check in report.checks if check.cure]
    if cures:
        print('\nTo do:\n')
        for check in cures:
            print_text(f'{check.name}: {_sentence(check.cure)}', '  ', '  ')
    if report.advice is not None:
        _show_advice(report, report.advice, client)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + '.' * (not text.endswith('?'))


def _show_advice(report: Report, advice: Advice, client: Client) -> None:
    print()
    print_table(
        ('OPTION', 'GIVE', 'WHY'),
        [(verdict.option, _given(verdict.value), verdict.why) for verdict in advice.verdicts],
    )
    print('\nWrite:\n')
    print_text(handler_call(report.stream, client, advice.options), '  ', '    ')
    if advice.better:
        print()
        print_text(
            'For the smallest bill, if all producers of the stream will compress: set the extension of its files,'
        )
        print()
        print_command(_update(report, advice, client), '  ')
        print('\nand then write:\n')
        print_text(handler_call(report.stream, client, advice.better), '  ', '    ')
    for heading, reasons in (
        ('In the events themselves:', advice.refusals),
        ('For JSONFormatter(layout=...):', advice.layouts),
    ):
        if reasons:
            print(f'\n{heading}\n')
            for reason in reasons:
                print_text(_sentence(str(reason)), '  ', '  ')


def _given(value: bool | int | str | None) -> str:
    return '-' if value is None else str(value)


def _update(report: Report, advice: Advice, client: Client) -> str:
    names = {
        'region': client['region_name'],
        'profile': client['boto3_profile_name'],
        'endpoint-url': client['endpoint_url'],
    }
    return update_command(report.description or {}, advice.file_extension or '', names)


def _as_json(report: Report, client: Client) -> dict[str, Any]:
    checks = [{**asdict(check), 'state': check.state.value} for check in report.checks]
    advice = report.advice and _advice_as_json(report, report.advice, client)
    return {'stream': report.stream, 'well': report.well, 'checks': checks, 'advice': advice}


def _advice_as_json(report: Report, advice: Advice, client: Client) -> dict[str, Any]:
    return {
        'options': advice.options,
        'handler': handler_call(report.stream, client, advice.options),
        'why': {verdict.option: verdict.why for verdict in advice.verdicts},
        'hazards': [str(hazard) for hazard in advice.hazards],
        'refusals': [str(refusal) for refusal in advice.refusals],
        'layouts': [str(layout) for layout in advice.layouts],
        'better': _better_as_json(report, advice, client) if advice.better else None,
    }


def _better_as_json(report: Report, advice: Advice, client: Client) -> dict[str, Any]:
    return {
        'file_extension': advice.file_extension,
        'command': _update(report, advice, client),
        'options': advice.better,
        'handler': handler_call(report.stream, client, advice.better),
    }
