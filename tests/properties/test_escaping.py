"""Whatever a foreign formatter puts out: one line in, the same text out."""

from hypothesis import given
from hypothesis import strategies as st

from firefighter._event.escaping import escape, restore

texts = st.text() | st.text(alphabet='\n\0\x1an0z') | st.binary() | st.binary().map(lambda text: text + b'\n')


def encoded(text):
    return text if isinstance(text, bytes) else text.encode('utf-8', 'backslashreplace')


@given(texts)
def test_restore_undoes_escape(text):
    """The text comes out byte for byte, with one newline ensured at its end."""
    content = encoded(text)
    assert restore(escape(text)) == (content if content.endswith(b'\n') else content + b'\n')


@given(texts)
def test_an_escaped_text_is_one_line(text):
    """No NUL, and one newline: the last byte."""
    line = escape(text)
    assert line.find(b'\n') == len(line) - 1
    assert b'\0' not in line


@given(st.binary().map(lambda text: text.replace(b'\n', b'') + b'\n'))
def test_restore_takes_any_line(line):
    """Also one that `escape` did not make; it still ends in a newline."""
    assert restore(line).endswith(b'\n')
