"""The spool on disk: directories, locks, other processes, and the events that dead processes have left.

    <spool_dir>/<uid>/<stream>-<hash>/        one for each user and destination           destination_folder.py, destination.py
        destination.json                      the destination                             destination_folder.py
        quarantine, dead-letters              files for people                            quarantine_and_dead_letters.py
        <producer id>/                        one for each handler in one process         producer_directory.py
            alive, reader                     its two locks                               producer_directory.py
            producer.json                     who it is                                   producer_process.py
            <16 hex digits>.spool             a segment                                   file_store.py, segment_file.py
            .tmp-<16 hex digits>              a segment being made                        file_store.py

For a handler, `spool_directory.py` puts these together.
"""
