"""What users of other log shippers suffer from, and the tests that hold that it does not happen here.

The numbers are those of the project's list of such complaints. `tests/unit/test_pains.py` checks that each test is there.
From 101 on they are cases from the issue threads of other projects, which are named; from 201 on what trying the edges has found: odd
values, foreign bytes, the commands. To add a row: a phrase that says what must hold, and the tests that would fail if it did not, by their files below `tests`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ['PAINS', 'Pain']


class Pain(NamedTuple):
    """What must hold, in a phrase, and for each file the tests in it that hold it."""

    phrase: str
    tests: Mapping[str, tuple[str, ...]]


PAINS: Mapping[int, Pain] = {
    1: Pain(
        'After a fork the child has a spool, a client and a thread of its own; the parent sends its own events',
        {
            'integration/test_forks.py': (
                'test_each_event_arrives_exactly_once_whoever_forks',
                'test_a_fork_that_interrupts_a_logging_call_leaves_each_event_there_once',
                'test_a_fork_beside_threads_that_log_leaves_each_event_there_once',
                'test_once_the_handler_is_made_nothing_is_imported_without_holding_forks_off',
            ),
            'integration/test_gunicorn.py': ('test_each_event_arrives_once_though_a_worker_is_killed',),
            'integration/test_uwsgi.py': ('test_each_event_of_two_workers_arrives_once',),
            'integration/test_multiprocessing.py': ('test_a_multiprocessing_child_delivers_its_events',),
            'integration/test_programs.py': (
                'test_a_forked_child_starts_at_zero_and_each_event_is_delivered_once',
            ),
            'integration/test_disk_handler.py': (
                'test_a_forked_child_has_its_own_directory_and_the_parents_events_are_sent_once_by_the_parent',
            ),
            'unit/test_transport.py': ('test_a_forked_child_uses_no_connection_of_its_parent',),
            'lives/test_opening_and_closing.py': (
                'test_a_fork_while_a_handler_is_being_made_and_one_is_closing_leaves_a_child_that_logs',
            ),
        },
    ),
    2: Pain(
        'The last events of a short script are sent at exit; what could not be is counted, or stays on disk',
        {
            'integration/test_programs.py': (
                'test_the_last_event_of_a_short_script_arrives_however_it_ends',
                'test_with_the_endpoint_down_a_program_ends_in_time_and_says_the_number',
            ),
            'integration/test_replaced_handler.py': ('test_the_number_of_its_undelivered_events_is_said',),
            'integration/test_disk_handler.py': (
                'test_close_with_the_endpoint_down_leaves_the_events_for_the_next_process',
            ),
            'lives/test_signals_at_the_end.py': (
                'test_another_sigterm_ends_the_wait_and_what_was_pending_is_said',
                'test_on_disk_the_next_process_delivers_what_a_second_sigterm_left',
            ),
            'lives/test_deadlines.py': ('test_twelve_late_events_on_disk_are_delivered_by_the_next_process',),
            'lives/test_other_peoples_events.py': (
                'test_what_is_said_of_a_dead_processs_events_at_the_end_is_true',
            ),
        },
    ),
    3: Pain(
        'Exit and flush keep their deadline',
        {
            'integration/test_programs.py': (
                'test_with_the_endpoint_down_a_program_ends_in_time_and_says_the_number',
                'test_without_credentials_a_program_ends_at_once_and_says_so',
                'test_several_handlers_share_one_deadline_at_exit',
            ),
            'integration/test_several_handlers.py': (
                'test_handlers_whose_endpoint_is_down_do_not_use_up_the_time_of_one_whose_is_up',
            ),
            'integration/test_interrupted_exit.py': (
                'test_a_ctrl_c_at_exit_ends_the_wait_and_the_count_is_said',
            ),
            'unit/test_flush_and_close.py': (
                'test_flush_keeps_its_deadline_and_returns_false',
                'test_close_keeps_its_deadline_and_says_the_number_on_stderr',
            ),
            'unit/test_under_pressure.py': ('test_close_returns_although_another_thread_goes_on_logging',),
            'lives/test_deadlines.py': (
                'test_flush_close_and_exit_end_in_time_wherever_the_request_is_stuck',
                'test_a_flush_after_the_delivery_thread_has_ended_keeps_to_its_deadline',
                'test_a_process_that_never_logs_and_finds_an_orphan_ends_in_time',
                'test_twelve_events_that_exit_functions_log_at_a_silent_endpoint_share_one_budget',
                'test_many_handlers_at_a_silent_endpoint_share_the_budget_of_the_exit',
            ),
        },
    ),
    4: Pain(
        'What an answer of 200 says to have failed is sent again',
        {
            'faults/test_each_fault.py': (
                'test_of_a_partial_failure_the_failed_entries_are_sent_again_and_no_others',
                'test_after_a_fault_exactly_what_was_not_accepted_is_sent_again',
            ),
            'unit/test_transport.py': ('test_exactly_the_entries_with_an_error_code_have_failed',),
        },
    ),
    5: Pain(
        'What delivery does feeds no handler, also on a bad day; nor do formatters and filters that log go on for ever',
        {
            'faults/test_own_customer.py': ('test_what_delivery_does_on_a_bad_day_feeds_no_handler',),
            'unit/test_own_customer.py': (
                'test_formatters_that_log_at_each_call_come_to_an_end',
                'test_filters_that_log_at_each_call_come_to_an_end',
                'test_what_the_handler_says_to_a_stderr_that_logs_is_no_event',
            ),
            'unit/test_emit.py': (
                'test_what_delivery_logs_does_not_become_an_event',
                'test_all_else_that_is_logged_during_a_request_is_an_event',
            ),
            'unit/test_opentelemetry_logs.py': ('test_delivery_is_not_its_own_customer',),
            'integration/test_programs.py': ('test_the_root_logger_at_debug_does_not_loop',),
            'lives/test_cause.py': (
                'test_what_botocore_says_of_our_requests_is_no_event_however_it_comes_back',
                'test_a_hook_that_logs_at_each_request_feeds_itself_no_faster_than_send_interval',
                'test_an_on_drop_that_logs_what_is_dropped_again_feeds_itself_no_faster_than_it_may',
            ),
        },
    ),
    6: Pain(
        'While it is throttled it goes on, as long as there is room, and paces itself',
        {
            'faults/test_each_fault.py': (
                'test_beyond_the_quota_records_are_refused_and_sent_again_until_all_are_in',
            ),
            'faults/test_outage.py': (
                'test_after_six_hours_without_firehose_every_event_is_delivered_or_counted',
            ),
            'unit/test_throttled_fleet.py': (
                'test_16_producers_settle_at_the_quota',
                'test_refusals_that_do_not_depend_on_the_rate_do_not_starve_it',
                'test_a_flush_after_an_outage_goes_at_the_full_rate_at_once',
            ),
        },
    ),
    7: Pain(
        'dictConfig called twice returns at once and loses nothing',
        {
            'integration/test_programs.py': (
                'test_dict_config_called_twice_neither_freezes_nor_loses',
                'test_a_handler_that_dict_config_has_forgotten_delivers_at_exit',
            ),
            'faults/test_life_and_death.py': ('test_dict_config_under_load_returns_and_loses_nothing',),
            'lives/test_deadlines.py': (
                'test_dict_config_does_not_wait_in_any_mode_nor_does_anybody_for_it',
            ),
            'lives/test_reloads.py': (
                'test_after_many_handlers_on_disk_hardly_a_descriptor_or_a_directory_is_left',
                'test_what_replaced_handlers_have_from_an_outage_arrives_when_it_is_over',
            ),
        },
    ),
    8: Pain(
        'Memory and disk are bounded while the destination is down, by a policy that counts',
        {
            'unit/test_accounts.py': (
                'test_memory_is_bounded_while_the_destination_is_down',
                'test_drop_oldest_keeps_the_newest',
                'test_drop_newest_keeps_the_oldest',
                'test_block_waits_for_room_and_loses_nothing',
            ),
            'faults/test_outage.py': ('test_what_gives_way_is_what_the_policy_says',),
            'integration/test_disk_handler.py': (
                'test_a_full_disk_costs_no_event_and_no_wait_and_files_are_used_again_when_there_is_room',
                'test_beyond_the_bound_of_the_directory_the_oldest_orphans_give_way',
            ),
            'lives/test_deadlines.py': (
                'test_a_full_spool_without_queues_holds_up_no_call_for_room_that_only_it_could_make',
            ),
        },
    ),
    9: Pain(
        'Each event ends in a newline',
        {
            'integration/test_programs.py': ('test_the_documented_program_leaves_one_line_in_the_folder',),
            'unit/test_formatting_event.py': ('test_the_line_ends_in_its_only_newline',),
            'unit/test_emit.py': ('test_a_formatter_of_the_users_is_honoured_byte_for_byte',),
            'unit/test_batch_sender.py': ('test_a_newline_is_added_where_missing',),
        },
    ),
    11: Pain(
        'No event is dropped in silence: the account adds up, a hook is called, and monitors see every number',
        {
            'unit/test_accounts.py': (
                'test_the_account_adds_up_at_any_moment',
                'test_on_drop_is_told_reason_events_and_bytes',
                'test_on_drop_hears_of_events_without_a_stream',
            ),
            'unit/test_metrics.py': ('test_every_field_of_the_statistics_is_a_metric_or_says_why_not',),
            'integration/test_prometheus.py': ('test_a_scrape_shows_the_account',),
            'integration/test_opentelemetry.py': (
                'test_a_collection_shows_the_account',
                'test_one_collection_is_one_snapshot',
            ),
            'integration/test_programs.py': (
                'test_with_the_endpoint_down_a_program_ends_in_time_and_says_the_number',
            ),
            'lives/test_cause.py': (
                'test_what_asyncio_says_of_abandoned_tasks_arrives_beside_all_other_lines',
                'test_what_the_program_logs_in_a_thread_that_delivers_arrives',
                'test_what_a_hook_of_the_handler_logs_arrives',
            ),
        },
    ),
    13: Pain(
        'Only what was not accepted is sent again',
        {
            'unit/test_delivery_loop.py': ('test_exactly_the_failed_entries_are_sent_again',),
            'faults/test_each_fault.py': (
                'test_of_a_partial_failure_the_failed_entries_are_sent_again_and_no_others',
            ),
            'crash/test_killed_processes.py': ('test_what_was_in_flight_arrives_once_more_and_nothing_else',),
            'lives/test_copies.py': (
                'test_late_events_at_a_slow_endpoint_arrive_no_more_often_than_is_admitted',
                'test_in_two_processes_on_a_bad_day_copies_are_never_more_than_is_admitted_in_events',
            ),
        },
    ),
    14: Pain(
        'Children of multiprocessing flush; on disk nothing need run at the end: SIGTERM, os._exit, SIGKILL',
        {
            'integration/test_multiprocessing.py': ('test_a_multiprocessing_child_delivers_its_events',),
            'integration/test_programs.py': ('test_a_child_that_exits_delivers_without_flushing',),
            'integration/test_forks.py': (
                'test_on_disk_the_next_start_delivers_what_an_end_without_python_left',
            ),
            'faults/test_unusual_callers.py': ('test_a_sigterm_that_ends_like_sys_exit_loses_nothing',),
            'integration/test_uwsgi.py': (
                'test_a_worker_in_the_middle_of_a_request_delivers_before_it_ends',
                'test_of_a_worker_that_is_killed_in_the_middle_of_a_request_a_directory_keeps_all',
            ),
            'crash/test_killed_processes.py': ('test_no_event_is_lost_whose_logging_call_had_returned',),
            'lives/test_opening_and_closing.py': (
                'test_a_handler_that_was_closed_again_and_again_while_a_thread_logged_keeps_its_events_over_a_kill',
            ),
        },
    ),
    15: Pain(
        'A record that is too large, or invalid, costs no other one: it is cut and stays JSON, or is handed over alone',
        {
            'properties/test_request_limits.py': ('test_no_request_is_refused_for_its_size',),
            'faults/test_each_fault.py': (
                'test_of_a_request_with_invalid_records_exactly_those_are_dropped_and_handed_over',
            ),
            'unit/test_oversize_policy.py': (
                'test_above_the_services_limit_an_event_is_truncated_in_any_case',
            ),
        },
    ),
    16: Pain(
        'The delivery thread does not die of an exception, and one that is killed is replaced at once',
        {
            'faults/test_life_and_death.py': (
                'test_a_thread_that_is_killed_while_it_waits_is_replaced_at_once',
                'test_what_killed_threads_had_under_way_is_sent_by_others',
                'test_what_a_thread_had_composed_when_it_was_killed_is_sent_by_another',
                'test_where_each_thread_ends_at_once_they_are_not_started_for_ever',
            ),
            'unit/test_under_pressure.py': (
                'test_delivery_survives_a_hook_that_exits',
                'test_delivery_survives_a_client_that_exits',
            ),
            'unit/test_never_raises.py': ('test_a_client_that_answers_nonsense_never_raises',),
            'unit/test_requests_in_flight.py': (
                'test_what_is_killed_in_a_request_is_given_back_as_uncertain',
            ),
        },
    ),
    17: Pain(
        'Retries are rare, and one layer makes them',
        {
            'faults/test_outage.py': ('test_an_outage_is_tried_rarely_and_its_end_noticed_soon',),
            'unit/test_transport.py': ('test_the_client_that_we_make_leaves_retries_to_us',),
        },
    ),
    18: Pain(
        'A destructor or a signal handler that logs neither deadlocks nor loses',
        {
            'faults/test_unusual_callers.py': ('test_nothing_is_lost_torn_or_out_of_order',),
            'faults/test_interruptions.py': (
                'test_an_exception_at_any_moment_of_append_loses_nothing_whose_call_returned',
                'test_a_reentrant_lock_tells_whether_it_is_the_calling_threads',
            ),
            'unit/test_wakeup.py': ('test_a_signal_handler_may_wake_the_thread_that_it_interrupts',),
            'lives/test_cause.py': ('test_what_a_signal_handler_logs_in_the_middle_of_a_request_arrives',),
            'lives/test_signals_at_the_end.py': (
                'test_a_signal_that_raises_in_a_wait_of_the_programs_own_loses_nothing',
            ),
            'faults/test_each_bytecode.py': (
                'test_an_exception_at_any_bytecode_of_an_append_that_fits_loses_and_doubles_nothing',
                'test_an_exception_at_any_bytecode_while_append_makes_room_loses_and_doubles_nothing',
            ),
        },
    ),
    19: Pain(
        'A formatter or a `__str__` that logs does not deadlock',
        {
            'faults/test_unusual_callers.py': ('test_nothing_is_lost_torn_or_out_of_order',),
            'unit/test_emit.py': ('test_a_formatter_that_logs_does_not_deadlock',),
            'unit/test_bad_input.py': ('test_a_str_that_logs_does_not_deadlock',),
        },
    ),
    20: Pain(
        'Nothing of ours warns where the warning could come back',
        {
            'integration/test_programs.py': ('test_captured_warnings_do_not_loop',),
            'unit/test_own_customer.py': (
                'test_a_formatter_that_warns_while_warnings_are_captured_comes_to_an_end',
            ),
            'unit/test_what_raises.py': ('test_nothing_warns_from_emit_or_delivery',),
        },
    ),
    23: Pain(
        'gevent and eventlet, and programs without threads: nothing blocks the hub, and all arrives once',
        {
            'integration/test_green_threads.py': (
                'test_events_of_many_greenlets_all_arrive_once_and_in_each_ones_order',
                'test_a_request_that_is_under_way_does_not_hold_up_the_other_greenlets',
                'test_flush_and_close_keep_their_deadlines_while_an_answer_never_comes',
                'test_a_signal_handler_that_logs_neither_deadlocks_nor_loses',
            ),
            'integration/test_programs.py': (
                'test_importing_the_handler_imports_little_beside_logging',
                'test_a_child_forked_in_c_runs_no_hooks_and_delivers_its_own',
            ),
            'faults/test_life_and_death.py': (
                'test_where_no_thread_can_be_started_each_call_delivers_and_that_is_said_once',
            ),
        },
    ),
    24: Pain(
        'Where no thread can start any more, the calling thread delivers',
        {
            'integration/test_programs.py': (
                'test_the_last_event_of_a_short_script_arrives_however_it_ends',
            ),
            'faults/test_life_and_death.py': (
                'test_what_exit_functions_log_arrives',
                'test_where_no_other_thread_can_be_started_a_killed_one_is_replaced_by_the_calls_themselves',
            ),
            'unit/test_what_raises.py': ('test_a_thread_that_cannot_start_never_raises',),
            'unit/test_emit.py': ('test_without_a_queue_and_without_threads_the_caller_makes_the_request',),
            'lives/test_deadlines.py': ('test_a_thread_that_logs_after_the_end_of_main_is_not_held_up',),
        },
    ),
    25: Pain(
        'Handlers do not interfere with each other',
        {
            'unit/test_constructor.py': ('test_handlers_share_nothing',),
            'integration/test_several_handlers.py': (
                'test_handlers_whose_endpoint_is_down_do_not_use_up_the_time_of_one_whose_is_up',
            ),
        },
    ),
    26: Pain(
        'A closed handler that is used again opens again',
        {
            'unit/test_flush_and_close.py': (
                'test_a_closed_handler_that_is_used_again_opens_again',
                'test_what_close_could_not_deliver_goes_with_the_next_use',
            ),
            'integration/test_disk_handler.py': (
                'test_a_closed_handler_that_is_used_again_is_on_disk_again',
            ),
            'lives/test_opening_and_closing.py': (
                'test_two_threads_that_close_and_one_that_logs_do_not_get_into_each_others_way',
            ),
            'lives/test_other_peoples_events.py': (
                'test_a_handler_that_ends_and_is_used_again_delivers_what_it_had_taken_over',
            ),
        },
    ),
    27: Pain(
        'flush sends now, keeps its deadline, returns whether all is out, and ends nothing',
        {
            'unit/test_flush_and_close.py': (
                'test_flush_delivers_what_is_pending_and_says_so',
                'test_flush_keeps_its_deadline_and_returns_false',
                'test_flush_does_not_end_the_handler',
                'test_events_logged_during_a_flush_do_not_prolong_it',
                'test_flush_goes_on_trying_without_a_queue',
            ),
            'faults/test_life_and_death.py': (
                'test_flush_and_close_with_loggings_own_lock_held_return_and_deliver_when_it_is_free',
            ),
            'lives/test_deadlines.py': (
                'test_a_flush_after_the_delivery_thread_has_ended_keeps_to_its_deadline',
            ),
        },
    ),
    28: Pain(
        'The client is made late, from plain values, and credentials that come later or are renewed are found',
        {
            'faults/test_surroundings.py': (
                'test_events_wait_for_credentials_that_are_renewed',
                'test_events_wait_for_credentials_that_come_later',
            ),
        },
    ),
    30: Pain(
        'A logging call does no I/O: an event loop goes on',
        {
            'integration/test_no_waiting.py': (
                'test_no_logging_call_touches_a_file_or_a_socket_or_imports',
                'test_an_event_loop_goes_on_while_its_coroutines_log',
            ),
            'unit/test_emit.py': ('test_emit_queues_and_does_not_deliver_itself',),
        },
    ),
    33: Pain(
        'Torn bytes are skipped and counted, what is good is delivered, what was acknowledged is not sent again',
        {
            'faults/test_power_loss.py': (
                'test_what_is_good_is_delivered_once_and_what_is_torn_is_put_aside_and_counted',
            ),
            'properties/test_recovery.py': (
                'test_after_a_power_loss_exactly_the_lines_that_survived_are_good',
                'test_after_a_crash_exactly_the_committed_and_unsettled_lines_are_good',
            ),
            'unit/spool/test_quarantine.py': (
                'test_each_entry_says_where_its_bytes_were_and_why_they_are_here',
            ),
            'unit/spool/test_recovery.py': ('test_zeros_tear_the_line_that_they_are_in_and_no_other',),
        },
    ),
    34: Pain(
        'A misconfiguration is said with its cause and its cure',
        {
            'faults/test_each_fault.py': ('test_after_a_fault_exactly_what_was_not_accepted_is_sent_again',),
            'faults/test_surroundings.py': (
                'test_nothing_goes_to_an_endpoint_whose_certificate_is_wrong',
                'test_a_name_that_no_server_knows_is_said_with_where_to_look',
            ),
            'unit/test_transport.py': ('test_what_is_misconfigured_is_said_with_its_cure',),
            'integration/test_doctor_command.py': (
                'test_credentials_that_are_refused_are_what_is_wrong',
                'test_a_stream_that_is_not_there_is_status_1',
                'test_without_a_region_it_says_where_to_set_one',
            ),
        },
    ),
    35: Pain(
        'Compressed records follow each other without a newline; where the stream writes one between them, somebody is told',
        {
            'properties/test_compression.py': ('test_records_of_one_object_are_one_valid_file',),
            'unit/test_compression.py': ('test_what_lies_in_the_bucket_is_one_valid_file',),
            'unit/test_stream_check.py': ('test_a_newline_between_compressed_records_is_said',),
            'unit/doctor/test_rules.py': (
                'test_what_would_destroy_events_is_found',
                'test_what_is_advised_is_never_warned_of',
            ),
        },
    ),
    36: Pain(
        'The boto3 client is made once, late, in a thread of delivery, from a session of our own',
        {
            'integration/test_client_making.py': (
                'test_each_handler_makes_one_client_in_a_thread_of_delivery_from_a_session_of_its_own',
            ),
            'unit/test_transport.py': ('test_a_client_that_cannot_be_made_is_tried_again',),
        },
    ),
    37: Pain(
        'No thread exists before the first event, so a fork gets no warning',
        {
            'integration/test_forks.py': (
                'test_a_fork_before_the_first_event_meets_no_thread_and_gets_no_warning',
            ),
            'unit/test_constructor.py': (
                'test_making_and_closing_a_handler_starts_no_thread_and_makes_no_request',
            ),
        },
    ),
    38: Pain(
        'A handler can be pickled and copied: it makes itself anew from its options',
        {
            'unit/test_copies.py': (
                'test_a_copy_is_a_handler_of_its_own_made_from_the_same_options',
                'test_a_client_cannot_come_along_and_the_error_says_what_to_hand_in',
            ),
            'integration/test_multiprocessing.py': ('test_a_multiprocessing_child_delivers_its_events',),
        },
    ),
    101: Pain(
        'Children that end by `os._exit` deliver what they have logged: those of Celery by themselves, others by a recipe (opentelemetry-python-contrib#4916)',
        {
            'integration/test_workers.py': (
                'test_each_child_of_celerys_pool_delivers_what_it_logged',
                'test_each_work_horse_of_rq_delivers_what_its_job_logged',
                'test_a_child_that_ends_by_os_exit_loses_nothing',
            ),
        },
    ),
    102: Pain(
        'A server that ends itself by the signal it got delivers first, by its lifespan or by one line (uvicorn PR#1600, #2289)',
        {
            'integration/test_asgi_servers.py': (
                'test_with_a_lifespan_that_closes_the_handler_the_last_event_arrives',
                'test_with_flush_on_signals_before_uvicorn_runs_its_own_last_line_arrives_too',
            ),
            'lives/test_flush_on_signals.py': (
                'test_what_is_pending_is_delivered_and_the_program_ends_by_the_signal',
                'test_a_handler_of_the_programs_own_is_called_after_the_delivery',
                'test_where_it_interrupts_what_delivery_needs_it_comes_again',
                'test_in_the_middle_of_logging_no_event_is_lost_whose_call_has_returned',
                'test_in_an_asyncio_program_it_is_called_after_the_loops_own',
                'test_a_forked_child_delivers_its_own',
            ),
            'faults/test_signals_at_each_bytecode.py': (
                'test_what_was_logged_before_is_delivered_when_the_programs_own_handler_is_called',
            ),
            'unit/test_flush_on_signals.py': (
                'test_it_puts_back_what_was_there',
                'test_it_leaves_what_was_installed_over_it',
                'test_a_signal_that_is_ignored_stays_ignored',
            ),
        },
    ),
    103: Pain(
        'A program ends though nobody reads its stderr (moby#31540, containerd#9342)',
        {
            'lives/test_stderr.py': (
                'test_a_program_ends_though_nobody_reads_its_stderr',
                'test_neither_a_warning_nor_green_threads_wait_for_a_reader',
                'test_what_could_not_be_written_is_counted_in_the_next_line',
            ),
        },
    ),
    104: Pain(
        'Undelivered events on stderr are what would have been sent, whatever its encoding (s2i-python-container#156)',
        {'lives/test_stderr.py': ('test_events_on_stderr_are_the_events_that_would_have_been_sent',)},
    ),
    105: Pain(
        'A subinterpreter ends cleanly, with its events delivered, and where orjson does not work one warning says so (mod_wsgi#940, orjson#434)',
        {
            'faults/test_subinterpreters.py': (
                'test_each_event_of_two_subinterpreters_arrives_and_both_end',
                'test_with_the_endpoint_down_it_ends_all_the_same_and_says_what_is_left',
                'test_a_forgotten_handler_ends_with_it',
                'test_what_workers_of_an_interpreter_pool_log_arrives',
                'test_where_orjson_cannot_be_imported_the_event_is_the_same',
            ),
            'unit/test_plain_json.py': ('test_what_it_writes_reads_as_what_orjson_writes',),
        },
    ),
    106: Pain(
        'A proxy that limits the size of requests gets smaller ones (blockscout#254, graylog2-server PR#7071)',
        {
            'integration/test_size_of_requests.py': (
                'test_behind_a_proxy_with_a_limit_every_event_arrives_once',
                'test_behind_a_real_nginx_every_event_arrives_once',
                'test_an_event_too_large_for_the_proxy_by_itself_is_a_dead_letter',
            ),
        },
    ),
    107: Pain(
        'A line that breaks under large requests gets smaller ones (osquery#3923, aws-for-fluent-bit#645)',
        {
            'integration/test_size_of_requests.py': (
                'test_on_a_line_that_breaks_under_large_requests_every_event_arrives',
            ),
            'unit/test_request_size.py': (
                'test_the_size_that_gets_through_is_found_and_kept_to',
                'test_an_outage_teaches_nothing',
            ),
        },
    ),
    108: Pain(
        'A kept connection that was closed meanwhile is no failure (requests#4506, aws-sdk-js-v3#1196)',
        {
            'integration/test_kept_connections.py': (
                'test_each_event_arrives_at_once_though_the_kept_connection_was_closed',
                'test_it_is_a_new_connection_though_others_are_kept_too',
                'test_a_new_connection_that_breaks_is_a_failure',
            ),
        },
    ),
    109: Pain(
        'Credentials that do not come (a slow program, a silent STS) hold up no call beyond its time (toolkit-vscode#1649, airflow PR#64216)',
        {
            'lives/test_deadlines.py': (
                'test_flush_close_and_exit_end_in_time_wherever_the_request_is_stuck',
            ),
        },
    ),
    110: Pain(
        'A fork waits for imports and locks of files, not for credentials that come of another process or the network',
        {'integration/test_forks.py': ('test_a_fork_does_not_wait_for_credentials',)},
    ),
    111: Pain(
        'What was logged for one account is never delivered to another one (botocore#1725, aws-cli#805)',
        {
            'integration/test_disk_handler.py': ('test_nobody_adopts_what_goes_elsewhere',),
            'unit/test_destination_of_a_client.py': (
                'test_it_is_what_boto3_resolves',
                'test_what_leads_elsewhere_is_another_destination',
                'test_what_leads_nowhere_else_parts_nothing',
                'test_sessions_are_told_apart_by_profile_region_and_key',
                'test_clients_are_told_apart_by_region_endpoint_and_key',
            ),
        },
    ),
    112: Pain(
        'What a program has left is delivered under its new uid, where it belongs to that; where not, a line says so (systemd PR#6940)',
        {
            'integration/test_new_uid.py': (
                'test_what_belongs_to_the_new_uid_is_delivered_below_whatever_number_it_lies',
                'test_what_belongs_to_another_uid_is_left_alone_and_one_line_says_so',
                'test_the_command_treats_what_is_ours_alike',
                'test_a_directory_that_is_called_by_a_number_and_is_no_users_stays_as_it_is',
            ),
            'unit/spool/test_bound.py': ('test_what_lies_below_another_uid_and_is_ours_counts_as_well',),
        },
    ),
    113: Pain(
        'With the SDK of X-Ray all is delivered, without a segment, whatever `context_missing` says (aws-xray-sdk-python#67)',
        {
            'lives/test_tracing.py': (
                'test_with_xray_everything_arrives_without_a_segment_whatever_context_missing_says',
                'test_with_xray_the_segments_of_asyncios_tasks_stay_as_they_are',
                'test_what_is_asked_for_credentials_is_not_traced_either',
            ),
        },
    ),
    114: Pain(
        'No library that traces makes a span or a breadcrumb of a request of ours (opentelemetry-python PR#1291)',
        {
            'lives/test_tracing.py': (
                'test_opentelemetry_makes_no_span_of_a_request_of_ours',
                'test_sentry_has_neither_spans_nor_breadcrumbs_of_requests_of_ours',
            ),
        },
    ),
    115: Pain(
        'Each error of boto3 has its kind and its cure; before a request is sent nothing is in doubt (boto3#4119, botocore#2351)',
        {
            'integration/test_what_boto3_cannot_do.py': (
                'test_nothing_is_in_doubt_the_cure_is_told_and_one_try_is_enough',
                'test_what_another_service_refuses_or_throttles_drops_nothing_and_slows_nothing_down',
                'test_each_class_of_exception_of_botocore_and_boto3_is_known',
            ),
        },
    ),
    116: Pain(
        'With root at DEBUG, what delivery logs feeds nothing, whatever queue it comes through (braintrust-sdk-python PR#759)',
        {
            'lives/test_cause.py': (
                'test_what_botocore_says_of_our_requests_is_no_event_however_it_comes_back',
                'test_what_botocore_says_is_no_event_though_it_comes_back_a_hundred_requests_later',
                'test_a_fork_in_between_makes_no_event_of_what_botocore_said_nor_loses_one_of_the_child',
                'test_where_logging_notes_no_threads_what_botocore_says_makes_no_batch_due',
                'test_what_boto3_says_of_the_programs_own_requests_is_an_event',
                'test_a_thread_of_the_programs_with_the_number_of_one_of_ours_that_has_ended_is_not_taken_for_it',
                'test_a_record_of_a_request_is_of_a_library_below_it_and_of_its_process_and_thread',
            ),
        },
    ),
    117: Pain(
        'Each clone of a snapshot (Lambda SnapStart) is a producer of its own, and what was logged before it arrives',
        {
            'integration/test_snapstart.py': (
                'test_each_clone_is_a_producer_of_its_own',
                'test_what_cannot_be_delivered_before_the_snapshot_is_delivered_by_the_clone',
            ),
        },
    ),
    118: Pain(
        'A long answer of a proxy makes one short line, and no password in a URL is written anywhere',
        {
            'integration/test_foreign_text.py': (
                'test_a_long_answer_makes_one_short_line',
                'test_the_password_of_an_endpoint_is_written_nowhere',
            ),
        },
    ),
    119: Pain(
        'What freezes time for a test does not freeze deadlines (freezegun#129)',
        {'integration/test_frozen_time.py': ('test_a_flush_and_a_close_end_while_time_is_frozen',)},
    ),
    120: Pain(
        "A program's random numbers are not ours to use",
        {'integration/test_foreign_text.py': ('test_the_programs_random_numbers_stay_the_same',)},
    ),
    121: Pain(
        'Values of numpy, pandas, pydantic and attrs are what they are, and what an author hides stays hidden '
        '(eliot#332, numpy#27651, powertools-lambda-python#904)',
        {
            'unit/test_formatting_foreign_values.py': (
                'test_a_number_or_a_boolean_is_one',
                'test_times_keep_their_nanoseconds_and_no_time_is_null',
                'test_an_array_is_a_list',
                'test_what_an_array_masks_stays_hidden',
                'test_a_long_array_is_cut_and_says_how_long_it_was',
                'test_what_a_subclass_overrides_is_not_called',
                'test_a_timestamp_keeps_its_nanoseconds',
                'test_what_is_missing_is_null',
                'test_a_model_becomes_its_fields',
                'test_what_its_author_hides_stays_hidden',
                'test_a_text_of_its_authors_is_its_value',
                'test_model_dump_is_not_called',
                'test_an_object_becomes_its_fields_but_for_hidden_ones',
                'test_what_raises_costs_itself_alone',
                'test_nothing_is_imported',
            ),
            'unit/test_formatting_values.py': (
                'test_a_mapping_that_is_no_dict_becomes_an_object',
                'test_a_mapping_that_raises_costs_itself_alone',
                'test_a_mapping_without_end_costs_itself_alone',
                'test_an_array_of_the_standard_library_becomes_a_list_up_to_a_bound',
            ),
        },
    ),
    122: Pain(
        'What structlog hands to logging is an event with a message and a level, without junk (structlog PR#105, #705)',
        {
            'unit/test_formatting_structlog.py': (
                'test_it_is_an_event_with_a_message_and_a_level_as_others_have_them',
                'test_an_exception_is_the_one_that_is_named',
                'test_an_exception_that_structlog_has_rendered_has_the_same_shape',
                'test_the_handler_needs_no_configuration',
            ),
        },
    ),
    123: Pain(
        'With a queue before the handler a dict message is still a dict, and an exception an exception (cpython#75267)',
        {
            'integration/test_queue_handler.py': (
                'test_an_event_is_the_same_with_the_queue_and_without',
                'test_what_the_program_changes_after_the_call_is_not_in_the_event',
                'test_events_of_another_process_arrive_whole',
                'test_the_other_handlers_of_the_listener_write_what_they_always_wrote',
            ),
        },
    ),
    124: Pain(
        'What loguru logs has its plain message, what is bound as keys, and one traceback (loguru#465)',
        {
            'integration/test_loguru.py': (
                'test_the_message_is_as_it_was_logged_and_what_is_bound_are_keys',
                'test_an_exception_is_there_once',
                'test_what_is_bound_by_the_name_of_an_attribute_is_kept',
            ),
        },
    ),
    125: Pain(
        'The message in colours is not in the event, nor any attribute that the program names (uvicorn PR#2154)',
        {
            'unit/test_formatting_event.py': (
                'test_the_message_in_colours_is_no_extra',
                'test_attributes_are_left_out_that_the_program_names',
                'test_what_another_formatter_leaves_on_the_record_is_no_extra',
            ),
        },
    ),
    126: Pain(
        'Where it is asked for, no two keys differ in case alone (athena-user-guide PR#46, Hive-JSON-Serde#104)',
        {
            'unit/test_formatting_keys_by_case.py': (
                'test_the_later_of_two_keys_is_kept_under_extra',
                'test_what_the_event_says_of_itself_stays',
                'test_within_an_object_the_later_key_gets_a_number',
                'test_whatever_is_logged_no_keys_collide_and_no_value_is_lost',
            ),
        },
    ),
    127: Pain(
        'Integers from 2^63 on are text, which each destination takes (elasticsearch#21728); what else a destination refuses in an event is '
        'said by the doctor, and avoided by a formatter of the docs (elasticsearch#70960, OpenSearch#20125, estuary/connectors#839)',
        {
            'unit/doctor/test_refusals.py': (
                'test_what_it_refuses_is_said_with_what_avoids_it',
                'test_where_nothing_is_known_nothing_is_said',
                'test_conversion_that_is_switched_off_is_plain_s3',
                'test_the_formatter_of_the_docs_writes_what_each_destination_takes',
                'test_it_cuts_what_no_column_of_redshift_takes',
            ),
            'unit/test_formatting_values.py': (
                'test_what_fits_is_a_number',
                'test_a_larger_integer_becomes_its_digits',
                'test_digits_that_are_text_stay_what_they_are',
                'test_wherever_the_program_writes_a_large_integer_it_becomes_its_digits',
            ),
            'unit/test_formatting_foreign_values.py': (
                'test_an_unsigned_number_that_no_reader_takes_is_its_digits',
            ),
        },
    ),
    128: Pain(
        "Firehose's own ZIP, Snappy, HADOOP_SNAPPY and Parquet objects are not taken for empty: an audit says that it cannot read them "
        '(floci#2328)',
        {
            'integration/test_audit_command.py': (
                'test_what_firehose_writes_that_has_no_lines_is_named_and_the_rest_is_read',
                'test_a_stream_that_compresses_by_itself_is_audited_where_that_is_gzip',
                'test_where_nothing_can_be_read_the_status_is_2',
            ),
            'unit/audit/test_foreign_formats.py': (
                'test_what_firehose_writes_by_itself_is_named',
                'test_so_is_what_others_compress',
                'test_within_gzip_and_zstd_too',
                'test_a_block_of_hadoops_is_told_whatever_its_size',
                'test_lines_of_any_kind_are_not_taken_for_it',
                'test_a_name_does_not_hide_lines',
                'test_between_our_records_it_is_a_line_that_is_no_json',
            ),
        },
    ),
    129: Pain(
        'A stream whose buffer or encoding makes New Relic, Elastic or Datadog lose events is told of, and what each receiver behind an HTTP '
        'endpoint takes (elastic/docs-content#3705)',
        {
            'unit/doctor/test_receivers.py': (
                'test_it_is_told_by_its_url_and_by_its_name',
                'test_the_url_counts_more_than_the_name',
                'test_of_an_odd_description_nobody_is_told',
                'test_settings_that_lose_events_in_silence_are_a_hazard',
                'test_each_wrong_setting_is_named_once',
                'test_what_a_description_does_not_say',
                'test_settings_as_the_receiver_wants_them_are_well',
                'test_a_receiver_that_splits_records_has_them_aggregated',
                'test_each_is_in_the_table_of_the_docs',
                'test_where_a_rule_comes_from_is_said',
            ),
            'unit/doctor/test_rules.py': (
                'test_what_would_destroy_events_is_found',
                'test_what_depends_on_others_is_said_to_be_so',
            ),
            'integration/test_doctor_command.py': (
                'test_a_buffer_with_which_a_receiver_loses_events_is_wrong',
            ),
            'integration/test_doctor_advice.py': ('test_by_its_advice_the_destination_takes_every_record',),
        },
    ),
    130: Pain(
        'A filter that deletes or replaces attributes loses neither the event nor an extra, and `taskName` is an extra before Python 3.12',
        {
            'unit/test_emit.py': (
                'test_a_filter_that_deletes_an_attribute_loses_neither_the_event_nor_an_extra',
                'test_a_filter_that_puts_rubbish_into_an_attribute_loses_no_event',
            ),
            'unit/test_formatting_event.py': (
                'test_an_extra_named_as_a_later_python_names_an_attribute_is_an_extra',
                'test_as_many_extras_as_the_record_has_lost_attributes_are_found',
            ),
        },
    ),
    201: Pain(
        'A value that runs Python code while it is encoded (an enum member) does not end the process, whatever that code does',
        {
            'faults/test_values_that_run_code.py': ('test_a_value_that_runs_code_does_not_end_the_process',),
            'unit/test_formatting_values.py': (
                'test_a_str_that_changes_what_it_is_in_does_not_crash_the_process',
            ),
            'properties/test_records_that_run_code.py': ('test_no_value_that_runs_code_breaks_the_program',),
        },
    ),
    202: Pain(
        'Whatever a program has encoded itself, an event is one line of JSON',
        {
            'unit/test_formatting_values.py': (
                'test_a_fragment_becomes_what_its_json_says',
                'test_a_fragment_of_neither_bytes_nor_text_is_marked',
            ),
        },
    ),
    203: Pain(
        'A deep value beside a key that event ids need is delivered',
        {'unit/test_emit.py': ('test_a_deep_value_beside_a_key_of_ours_is_delivered',)},
    ),
    204: Pain(
        'What leaves a logging call passes as in logging, and its event is counted',
        {
            'unit/test_emit.py': (
                'test_an_exit_within_the_call_passes_as_in_logging_and_the_event_is_counted',
            )
        },
    ),
    205: Pain(
        'The work for one event is bounded, however often its values are referred to',
        {
            'unit/test_formatting_values.py': (
                'test_a_value_that_is_referred_to_many_times_is_written_up_to_a_bound',
                'test_a_list_of_more_values_than_an_event_has_says_how_long_it_was',
            ),
        },
    ),
    206: Pain(
        'What handlers count that come and go between two readings of the metrics is in the counters',
        {
            'unit/test_metrics.py': (
                'test_handlers_that_come_and_go_between_two_readings_are_counted',
                'test_what_a_handler_drops_that_comes_and_goes_is_counted',
                'test_what_is_delivered_after_a_handler_is_gone_is_counted',
                'test_what_is_pending_of_a_handler_that_is_gone_is_still_seen',
                'test_a_program_that_reloads_its_configuration_again_and_again_counts_each_event_once',
                'test_a_handler_that_is_closed_and_used_again_is_counted_once',
            ),
        },
    ),
    207: Pain(
        'Where the delivery thread could not be started once, as when a signal handler raises there, a later event starts it',
        {
            'unit/test_what_raises.py': (
                'test_after_a_thread_could_not_be_started_once_calls_do_not_go_on_waiting',
            ),
        },
    ),
    208: Pain(
        'An object that is made to fill the memory, or to take for ever, costs itself alone: gzip in gzip, zstd, half a million empty members',
        {
            'integration/test_audit_command.py': (
                'test_what_somebody_has_made_to_fill_the_memory_is_named_and_the_rest_is_read',
            ),
            'unit/audit/test_decoding.py': (
                'test_what_expands_more_than_a_log_does_is_given_up',
                'test_what_expands_without_a_newline_comes_in_pieces',
                'test_one_layer_of_gzip_is_read_however_much_it_expands',
                'test_a_zstd_frame_that_demands_much_memory_is_given_up',
                'test_many_small_parts_are_looked_at_once_each',
            ),
            'unit/cost/test_reading.py': ('test_a_file_that_was_made_to_fill_the_memory_is_given_up',),
            'properties/test_foreign_bytes.py': ('test_an_audit_counts_what_can_be_read_of_any_object',),
        },
    ),
    209: Pain(
        'What is in an event, a name or a marker does nothing to a terminal',
        {
            'integration/test_spool_command.py': ('test_on_a_terminal_cat_writes_nothing_that_commands_it',),
            'unit/test_cli_tables.py': (
                'test_what_names_contain_is_neither_markup_nor_a_command_to_the_terminal',
            ),
        },
    ),
    210: Pain(
        'An audit reads what S3 would list, padding and byte order marks are nothing, and output that cannot be written is one line and a status',
        {
            'integration/test_audit_command.py': (
                'test_a_name_that_begins_with_a_dot_is_a_name',
                'test_padding_and_byte_order_marks_are_nothing',
                'test_where_nothing_can_be_written_there_is_one_line_and_a_status',
            ),
            'unit/audit/test_decoding.py': ('test_nuls_behind_a_compressed_part_are_nothing',),
        },
    ),
    211: Pain(
        'An audit of thousands of objects in S3 does not wait for one after the other',
        {
            'unit/audit/test_bucket.py': (
                'test_the_next_objects_are_read_meanwhile_and_come_in_their_order',
                'test_a_large_object_is_read_when_it_is_its_turn',
                'test_an_object_that_cannot_be_read_is_named_when_it_is_its_turn',
            ),
        },
    ),
    212: Pain(
        'No web page can command the local endpoint or read from it, whatever `Origin` it has and by whatever name it calls',
        {
            'integration/test_local_callers.py': (
                'test_what_a_web_page_can_send_is_refused_and_does_nothing',
                'test_a_control_request_that_changes_something_says_that_it_is_json',
                'test_it_answers_to_its_own_names_and_to_those_that_are_allowed',
                'test_on_all_addresses_any_address_is_its_own_and_no_name',
                'test_an_sdk_that_calls_it_by_another_name_is_told_the_option',
            ),
            'integration/test_local_command.py': ('test_a_service_of_a_compose_file_is_reached_by_its_name',),
        },
    ),
    213: Pain(
        'The local endpoint writes no object outside its folder',
        {
            'integration/test_local_unwritten.py': (
                'test_no_prefix_leads_out_of_the_folder_once_it_is_evaluated',
                'test_a_link_in_the_folder_does_not_lead_out_of_it',
            ),
        },
    ),
    214: Pain(
        'A stream whose objects no file system could have is refused, and one that cannot be written hides no other',
        {
            'integration/test_local_unwritten.py': (
                'test_a_name_that_no_file_can_have_is_refused_when_the_stream_is_created',
                'test_names_as_long_as_they_may_be_are_delivered',
                'test_a_stream_that_cannot_be_written_hides_no_other',
                'test_a_bucket_that_cannot_be_written_hides_no_other_of_the_same_stream',
            ),
        },
    ),
    215: Pain(
        'What the local endpoint has accepted and cannot write is kept, or told',
        {
            'integration/test_local_unwritten.py': (
                'test_a_stream_is_not_deleted_with_records_that_cannot_be_written',
                'test_the_end_of_the_block_tells_what_is_lost',
                'test_stop_tells_what_is_lost_and_only_once',
                'test_an_exception_that_ends_the_block_is_not_hidden_by_what_is_lost',
                'test_an_endpoint_that_was_killed_is_told',
            ),
        },
    ),
    216: Pain(
        'More connections than descriptors are one line of the local endpoint, and wait until there is room',
        {
            'integration/test_local_command.py': (
                'test_more_connections_than_descriptors_are_one_line_and_wait',
            ),
        },
    ),
    217: Pain(
        'What is malformed is refused by the local endpoint with a reason, when it is said',
        {
            'integration/test_local_control.py': (
                'test_a_malformed_control_request_is_refused_with_a_reason',
                'test_what_is_nested_too_deep_is_refused_with_a_reason',
                'test_a_body_that_is_not_compressed_as_it_says_is_refused_with_a_reason',
                'test_what_is_not_http_is_refused_without_a_traceback',
                'test_a_value_that_a_fault_could_not_strike_with_is_refused',
                'test_one_text_where_a_list_is_wanted_is_refused',
                'test_an_argument_of_another_type_is_refused_with_what_to_write',
                'test_a_buffer_beyond_all_reason_is_refused',
                'test_what_is_outside_the_folder_cannot_be_read_as_delivered',
            ),
            'integration/test_local_destinations.py': (
                'test_a_document_that_is_nested_too_deep_is_not_converted',
            ),
            'properties/test_local_protocol.py': ('test_no_request_breaks_the_endpoint',),
        },
    ),
    218: Pain(
        'What a killed local endpoint was writing is removed by the next start, and what a living one is writing stays',
        {
            'integration/test_local_unwritten.py': (
                'test_what_a_killed_endpoint_was_writing_is_removed_by_the_next_start',
                'test_what_no_endpoint_has_made_stays_whatever_it_is_called',
                'test_what_a_living_endpoint_is_writing_stays',
            ),
        },
    ),
    219: Pain(
        'The local endpoint has every operation of the service model, with its checks and effects',
        {
            'conformance/test_conformance.py': (
                'test_tags_are_added_replaced_listed_and_removed',
                'test_encryption_is_started_and_stopped',
                'test_a_destination_is_updated_by_its_version_and_id',
                'test_a_stream_that_does_not_exist_cannot_be_changed',
            ),
            'conformance/test_sdks.py': (
                'test_what_is_put_is_delivered_and_each_refused_record_is_named',
                'test_a_stream_is_there_from_its_creation_to_its_deletion',
                'test_a_destination_is_updated_by_its_version_and_id',
                'test_tags_are_added_listed_and_removed',
                'test_encryption_is_started_and_stopped',
            ),
            'integration/test_local_administration.py': (
                'test_every_operation_of_the_service_model_is_there',
                'test_an_update_holds_for_what_is_accepted_after_it',
                'test_another_kind_of_destination_needs_all_that_it_would_need_when_created',
                'test_an_update_is_refused_for_what_a_creation_is_refused_for',
                'test_tags_come_in_pages_and_at_most_fifty',
                'test_a_tag_that_aws_would_refuse_is_refused',
                'test_puts_say_whether_they_are_encrypted',
                'test_a_key_that_does_not_fit_is_refused',
            ),
        },
    ),
    220: Pain(
        'The line that `firefighter local` prints is enough for every SDK, and streams are made as puts name them',
        {
            'integration/test_local_command.py': (
                'test_the_line_that_a_terminal_gets_can_be_pasted_and_has_the_region_for_every_sdk',
                'test_streams_are_made_as_puts_name_them',
                'test_streams_can_be_made_at_once_and_as_they_come',
            ),
            'conformance/test_sdks.py': ('test_the_sdk_itself_tries_again_what_may_be_tried_again',),
        },
    ),
    221: Pain(
        'Where there was nothing to audit the status is 2, and noise is said: a nightly check does not stay green for ever',
        {
            'integration/test_audit_command.py': (
                'test_where_no_event_has_an_id_the_status_is_2',
                'test_noise_among_events_is_said',
            ),
            'unit/audit/test_foreign_formats.py': ('test_noise_is_no_text',),
        },
    ),
    222: Pain(
        'What is assumed to compute a bill is said first: a rate for a sample, a price for a region',
        {
            'integration/test_cost_command.py': (
                'test_a_sample_is_played_at_a_rate_and_the_screen_says_so_first',
                'test_a_region_without_a_known_price_has_that_of_another_and_the_screen_says_so_first',
                'test_for_scripts_each_row_says_whose_price_it_has',
            ),
            'unit/cost/test_reading.py': ('test_nuls_are_no_text',),
        },
    ),
    223: Pain(
        'A directory that is no spool is an invalid argument',
        {
            'integration/test_spool_command.py': (
                'test_a_directory_that_is_not_there_is_an_error',
                'test_what_is_no_spool_directory_is_said_with_what_was_expected',
            ),
        },
    ),
    224: Pain(
        'The end of pytest does not wait for a handler that a test has left on its logger',
        {
            'integration/test_local_fixtures.py': (
                'test_what_a_test_leaves_on_a_logger_is_closed_with_the_endpoint',
                'test_handlers_that_deliver_elsewhere_are_left_alone',
                'test_a_handler_from_before_delivers_to_the_endpoint_while_it_is_there',
            ),
        },
    ),
    230: Pain(
        'A secret is hidden at any depth and in tracebacks, on each way that leads to Firehose, also where a formatter fails',
        {
            'unit/test_redaction.py': (
                'test_it_is_hidden_wherever_it_comes_from',
                'test_what_they_find_is_replaced_in_every_text',
                'test_what_a_formatter_of_the_programs_hides_stays_hidden_where_it_fails',
                'test_at_the_recursion_limit_nothing_comes_out',
            ),
            'properties/test_redaction.py': (
                'test_no_secret_is_in_a_line_whatever_the_options_are',
                'test_a_redaction_that_fails_lets_nothing_out_and_loses_no_event',
            ),
        },
    ),
}
