"""The docs say what is so: their code runs, their generated parts are current, their links lead somewhere."""

from __future__ import annotations

import json
import logging
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from firefighter._delivery.clients import ClientOptions
from firefighter.cli.main import COMMANDS, main
from firefighter.local import LocalFirehose
from firefighter.logging import FirehoseHandler
from programs import PATIENT

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/*.md')])
BLOCKS = [
    pytest.param(match[1], id=f'{page.name}:{page.read_text("utf-8")[: match.start()].count(chr(10)) + 2}')
    for page in PAGES
    for match in re.finditer(r'^```python\n(.*?)^```', page.read_text('utf-8'), re.MULTILINE | re.DOTALL)
]


@pytest.fixture(autouse=True)
def one_at_a_time(tmp_path_factory):
    """Some listen at the address that the docs name, and several processes run the tests."""
    fcntl = pytest.importorskip('fcntl')
    with (tmp_path_factory.getbasetemp().parent / 'docs.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def aws(tmp_path, monkeypatch):
    """An account whose stream is the one of the docs, `bar`."""
    with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
        monkeypatch.setenv('AWS_ENDPOINT_URL_FIREHOSE', endpoint.url)
        monkeypatch.setenv('FIREFIGHTER_STREAM', 'bar')
        # What a page waits by default may be too short for a busy machine.
        monkeypatch.setitem(FirehoseHandler.__init__.__kwdefaults__, 'shutdown_timeout_seconds', 40)
        yield endpoint


@pytest.fixture
def untouched_logging():
    """Take away again what a block has configured."""
    before = {name: logging.getLogger(name).level for name in ('', 'foo', 'shop', 'app')}
    sigterm = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, sigterm)
    for name, level in before.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        for handler in logger.handlers[:]:
            if type(handler).__module__.startswith('firefighter'):
                logger.removeHandler(handler)
                handler.close()
    if 'loguru' in sys.modules:
        sys.modules['loguru'].logger.remove()
    if 'structlog' in sys.modules:
        sys.modules['structlog'].reset_defaults()


@pytest.mark.parametrize('code', BLOCKS)
@pytest.mark.usefixtures('aws', 'untouched_logging')
def test_each_python_block_runs(code):
    """A reader who copies it gets what the page says."""
    namespace = {'__name__': '__main__'}
    exec(compile(code, 'block', 'exec'), namespace)
    handler = namespace.get('handler')
    if isinstance(handler, logging.Handler):
        handler.close()


def test_the_readmes_first_program_leaves_the_line_that_it_shows(aws):
    """Level, logger and message, and a timestamp, in a file of the folder."""
    text = (ROOT / 'README.md').read_text('utf-8')
    code = re.search(r'^```python\n(.*?)^```', text, re.MULTILINE | re.DOTALL)[1]
    shown = re.search(r'^```json\n(.*?)\n```', text, re.MULTILINE | re.DOTALL)[1]
    subprocess.run([sys.executable, '-c', PATIENT + code], check=True, timeout=50)
    aws.flush()
    (delivered,) = [path for path in aws.folder.rglob('*') if path.is_file()]
    without_time = re.compile(r'"timestamp":"[^"]+"')
    assert without_time.sub('', delivered.read_text('utf-8')) == without_time.sub('', shown) + '\n'


def test_the_generated_parts_are_current():
    """`make docs` writes them; an option is documented in its docstring and nowhere else."""
    subprocess.run([sys.executable, ROOT / 'docs' / 'generate.py', '--check'], check=True, timeout=50)


def test_what_is_to_be_installed_is_an_extra_by_its_name():
    """`pip install 'firefighter[plot]'`, wherever the code or a page says it; one package may be bare, with its reason beside it."""
    project = (ROOT / 'pyproject.toml').read_text('utf-8')
    section = re.search(r'^\[project.optional-dependencies\]\n(.*?)\n\n', project, re.MULTILINE | re.DOTALL)[
        1
    ]
    extras = set(re.findall(r'^(\w+) = ', section, re.MULTILINE))
    bare = []
    for file in [*PAGES, *ROOT.glob('src/**/*.py')]:
        for name, rest in re.findall(
            r"pip install (?:-e |-r )?'?([^\s`'\[]+)(?:\[([^\]]*)\])?", file.read_text('utf-8')
        ):
            assert {*filter(None, rest.split(','))} <= extras, file
            if file.suffix == '.py' and (name, bool(rest)) != ('firefighter', True):
                bare.append((file.name, name))
    assert bare == [('compression.py', 'zstandard')]


# Of each command: what nobody can mean, and the page that has its exit statuses; `demo` and `completion` have none.
WRONG = {
    'audit': (['s3://'], 'delivery-guarantees'),
    'completion': (['tcsh'], None),
    'cost': (['--price', '0'], 'cost'),
    'demo': (['--workers', '0'], None),
    'doctor': (['a b'], 'doctor'),
    'local': (['--fault', 'nope'], 'local-endpoint'),
    'spool': (['ls', ''], 'spool-format'),
}


@pytest.mark.parametrize('command', COMMANDS)
def test_the_exit_statuses_are_said_and_2_is_for_wrong_arguments(command, capsys):
    """In the help and on the page, for whoever writes a script."""
    words, page = WRONG[command]
    with pytest.raises(SystemExit, match='0'):
        main([command, '--help'])
    told = ' '.join(capsys.readouterr().out.split())
    assert re.search(r'The exit status is 0 when .* 2 .*invalid arguments', told)
    if page:
        text = ' '.join((ROOT / 'docs' / f'{page}.md').read_text('utf-8').split())
        assert re.search(r'[Ee]xit status.* 0.* 2: [^.]*invalid', text)
    try:
        status = main([command, *words])
    except SystemExit as ended:
        status = ended.code
    assert status == 2


def test_the_sdks_that_the_endpoints_page_names_are_those_that_are_run():
    """In the versions that `make sdks-test` installs."""
    pins = (ROOT / 'requirements' / 'sdks-constraints.txt').read_text('utf-8')
    pinned = dict(re.findall(r'^(\S+)==([^;\s]+)', pins, re.MULTILINE))
    javascript = json.loads((ROOT / 'tests' / 'conformance' / 'sdks' / 'package.json').read_text('utf-8'))
    page = (ROOT / 'docs' / 'local-endpoint.md').read_text('utf-8')
    assert re.findall(r'^\| (.*) \| (\d.*) \|$', page, re.MULTILINE)[:3] == [
        ('AWS command line', pinned['awscli']),
        ('aioboto3', f'{pinned["aioboto3"]} (aiobotocore {pinned["aiobotocore"]})'),
        *((f'`{name}`', version) for name, version in javascript['dependencies'].items()),
    ]


def test_the_time_outs_of_a_request_are_those_of_the_client():
    """The page has them in figures."""
    page = ' '.join((ROOT / 'docs' / 'delivery-guarantees.md').read_text('utf-8').split())
    options = ClientOptions()
    assert f'waits {options.connect_timeout_seconds:g} s at most for a connection' in page
    assert f'and {options.read_timeout_seconds:g} s at most for each part of the answer' in page


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page):
    """A file that was renamed is noticed here."""
    for target in re.findall(r'\]\((?!https?:|#)([^)#\s]+)', page.read_text('utf-8')):
        assert (page.parent / target).exists(), target
