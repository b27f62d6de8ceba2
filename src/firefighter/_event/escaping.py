r"""One event is one line of the spool, whatever a foreign formatter puts out.

The spool's reader cuts at newlines and takes a NUL for space that was never written. Lines of our own JSON
contain neither. Text of a user's formatter may, so on its way in these three bytes become two, of which the
first is 0x1A (SUBSTITUTE), the escape character:

| byte | in the spool |
|---|---|
| newline, 0x0A | 0x1A `n` |
| NUL, 0x00 | 0x1A `0` |
| 0x1A itself | 0x1A `z` |

0x1A occurs in no UTF-8 sequence of another character and hardly ever in logs, so most lines come out as they
went in, and a reader that finds none in a stretch has nothing to do.
"""


def escape(text: str | bytes) -> bytes:
    r"""Make one line of the spool from what a formatter returned.

    Args:
        text: the formatter's output. A str is encoded as UTF-8; a lone surrogate, for which UTF-8 has no
            bytes, becomes six characters like `\udcff`. One newline at the end is the line's own.

    Returns:
        The escaped line with its newline: no other newline in it, no NUL.
    """
    line = text if isinstance(text, bytes) else str.encode(text, 'utf-8', 'backslashreplace')
    line = line.removesuffix(b'\n')
    # The escape character first: those that come after are escapes. Whole passes, since one call of Python for each newline
    # of a large event took 30 times as long.
    return line.replace(b'\x1a', b'\x1az').replace(b'\n', b'\x1an').replace(b'\0', b'\x1a0') + b'\n'


def restore(line: bytes) -> bytes:
    """Undo `escape`: return the formatter's output in UTF-8, with one newline ensured at its end.

    Args:
        line: a line of the spool with its newline. Without 0x1A it is returned as it is. 0x1A before any
            other byte than the three of `escape` is left alone: not ours, and no reason to lose a line.
    """
    if b'\x1a' not in line:
        return line
    # The escape character last: an `n` after one that was restored is the event's own.
    return line.replace(b'\x1an', b'\n').replace(b'\x1a0', b'\0').replace(b'\x1az', b'\x1a')
