"""Programs of a few lines that orjson ends by a segmentation fault, for its authors: `python -m benchmarks.orjson_faults`.

Why none of our events gets there is in `firefighter._event.json_values`. What remains is a text near all the memory that the process may have.
"""

from __future__ import annotations

import signal
import subprocess
import sys

PROGRAMS = {
    "an enum member's value raises": """
import enum, orjson
class Color(enum.Enum):
    RED = 1
    @property
    def value(self): raise KeyError
orjson.dumps([Color.RED])
""",
    "an enum member's value empties the list that it is in": """
import enum, orjson
items = []
class Color(enum.Enum):
    RED = 1
    @property
    def value(self): items.clear(); return 1
items += [Color.RED, *map(str, range(10_000))]
orjson.dumps(items)
""",
    'a text larger than the memory that is left': """
import orjson, resource
text = 'x' * 400_000_000
resource.setrlimit(resource.RLIMIT_AS, (1000 << 20,) * 2)
orjson.dumps(text)
""",
}


def main() -> None:
    """Run the programs in turn."""
    for what, program in PROGRAMS.items():
        status = subprocess.run(
            [sys.executable, '-c', program], stderr=subprocess.DEVNULL, check=False
        ).returncode
        print(f'{what}: {signal.Signals(-status).name if status < 0 else f"status {status}"}')


if __name__ == '__main__':
    main()
