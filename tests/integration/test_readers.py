"""Who can read the objects that compressed records become? Whatever is installed here: `make readers-test` installs more.

An object is the concatenation of its records: Firehose adds nothing between them, unless AppendDelimiterToRecord is on. A reader
that stops behind the first gzip member or zstd frame would find a hundredth of the events.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from arrivals import deliver_everything
from doubles import AcceptingClient
from firefighter._delivery.limits import BILLED_BYTES

EVENTS = 40_000
JAVA = """
import java.io.*;
import java.util.zip.GZIPInputStream;

public class CountLines {
    public static void main(String[] files) throws IOException {
        InputStream raw = new BufferedInputStream(new FileInputStream(files[0]));
        BufferedReader reader = new BufferedReader(new InputStreamReader(new GZIPInputStream(raw), "UTF-8"));
        while (true) {
            String line = reader.readLine();
            if (line == null) break;
            System.out.println(line);
        }
    }
}
"""


@pytest.fixture(scope='module')
def objects(tmp_path_factory) -> dict[str, Path]:
    return {}


@pytest.fixture
def written(objects, make_handler, make_logger, tmp_path_factory) -> Callable[[str], Path]:
    """Return what gives the object that Firehose would have written, of many records."""

    def write(codec: str) -> Path:
        if codec not in objects:
            client = AcceptingClient()
            handler = make_handler('bar', boto3_client=client, compression=codec, max_aggregated_events=100)
            logger = make_logger(handler)
            for number in range(EVENTS):
                logger.info({'message': 'order shipped', 'number': number})
            deliver_everything(handler)
            assert len(client.events) >= EVENTS // 100
            suffix = {'gzip': '.json.gz', 'zstd': '.json.zst'}[codec]
            objects[codec] = tmp_path_factory.mktemp('bucket') / f'bar-1-2026-11-26-08-00-00{suffix}'
            objects[codec].write_bytes(b''.join(client.events))
            assert objects[codec].stat().st_size > BILLED_BYTES
        return objects[codec]

    return write


def by_command(*command: str) -> Callable[[Path], list[int]]:
    def read(path: Path) -> list[int]:
        if shutil.which(command[0]) is None:
            pytest.skip(f'no {command[0]} here')
        output = subprocess.run([*command, path], capture_output=True, check=True).stdout
        return [json.loads(line)['number'] for line in output.splitlines()]

    return read


def by_python_gzip(path: Path) -> list[int]:
    with gzip.open(path) as lines:
        return [json.loads(line)['number'] for line in lines]


def by_zstandard(path: Path) -> list[int]:
    zstandard = pytest.importorskip('zstandard', reason='the package is not to be had for this Python')
    with zstandard.open(path, 'rt') as lines:
        return [json.loads(line)['number'] for line in lines]


def by_java(path: Path) -> list[int]:
    if shutil.which('javac') is None:
        pytest.skip('no Java here')
    (path.parent / 'CountLines.java').write_text(JAVA)
    subprocess.run(['javac', '-d', path.parent, path.parent / 'CountLines.java'], check=True)
    return by_command('java', '-cp', str(path.parent), 'CountLines')(path)


def by_pandas(path: Path) -> list[int]:
    return list(pytest.importorskip('pandas').read_json(path, lines=True)['number'])


def by_pyarrow(path: Path) -> list[int]:
    return pytest.importorskip('pyarrow.json').read_json(path)['number'].to_pylist()


def by_polars(path: Path) -> list[int]:
    return pytest.importorskip('polars').read_ndjson(path)['number'].to_list()


def by_duckdb(path: Path) -> list[int]:
    duckdb = pytest.importorskip('duckdb')
    return [number for (number,) in duckdb.sql(f"SELECT number FROM read_json('{path}')").fetchall()]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ('codec', 'read'),
    [
        pytest.param('gzip', by_command('zcat'), id='zcat'),
        pytest.param('gzip', by_python_gzip, id='Python'),
        pytest.param('gzip', by_java, id='Java'),
        pytest.param('gzip', by_pandas, id='pandas gzip'),
        pytest.param('gzip', by_pyarrow, id='pyarrow gzip'),
        pytest.param('gzip', by_polars, id='polars gzip'),
        pytest.param('gzip', by_duckdb, id='duckdb gzip'),
        pytest.param('zstd', by_command('zstdcat'), id='zstdcat'),
        pytest.param('zstd', by_zstandard, id='zstandard'),
        pytest.param('zstd', by_pandas, id='pandas zstd'),
        pytest.param('zstd', by_pyarrow, id='pyarrow zstd'),
        pytest.param('zstd', by_polars, id='polars zstd'),
        pytest.param('zstd', by_duckdb, id='duckdb zstd'),
    ],
)
def test_every_event_is_read(codec, read, written):
    """Of hundreds of records, one behind the other."""
    assert sorted(read(written(codec))) == list(range(EVENTS))
