"""Resolve the project's requirements on each supported Python and write the versions to constraints.txt.

Those of the SDKs, which want another botocore, go to sdks-constraints.txt.
pip 23 can resolve for ten minutes when nothing is pinned, so everything is. A version that only some Pythons
can have is written once for each of them, behind a marker.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
VERSIONS = ('3.10', '3.11', '3.12', '3.13', '3.14', '3.15')
HEADER = '# Written by `make constraints`: every version that the project is tested with.\n'


def command(version: str) -> list[str]:
    """Return how to run a command where the Python of a version is."""
    found = [str(HERE.parent / '.ci' / 'with-python'), version]
    if subprocess.run([*found, 'true'], check=False).returncode != 0:
        sys.exit(f'Python {version} is not on this machine: install it, then run `make constraints` again')
    return found


def resolve(version: str, requirements: list[str]) -> dict[str, str]:
    """Install requirements into a new environment and return name -> version."""
    where = command(version)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*where, f'python{version}', '-m', 'venv', folder], check=True)
        pip = [*where, f'{folder}/bin/python', '-m', 'pip', '--disable-pip-version-check', '--quiet']
        subprocess.run([*pip, 'install', *requirements], check=True)
        frozen = subprocess.run(
            [*pip, 'freeze', '--exclude', 'firefighter'], check=True, capture_output=True, text=True
        )
    return dict(line.split('==', 1) for line in frozen.stdout.splitlines() if '==' in line)


def renew(name: str, requirements: list[str]) -> None:
    """Write the file of constraints for some requirements, beside this file."""
    found = {version: resolve(version, requirements) for version in VERSIONS}
    lines = []
    for package in sorted({package for versions in found.values() for package in versions}, key=str.lower):
        by_release: dict[str, list[str]] = {}
        for version in VERSIONS:
            if package in found[version]:
                by_release.setdefault(found[version][package], []).append(version)
        for release, versions in by_release.items():
            marker = '' if len(by_release) == 1 else f"; python_version in '{' '.join(versions)}'"
            lines.append(f'{package}=={release}{marker}\n')
    (HERE / name).write_text(HEADER + ''.join(lines))


def main() -> None:
    """Write both files."""
    files = [HERE / name for name in ('test.txt', 'programs.txt', 'lint.txt', 'readers.txt')]
    files.append(HERE.parent / 'benchmarks' / 'requirements.txt')
    package = f'{HERE.parent}[local,demo,completion,fast,plot,zstd,prometheus,opentelemetry]'
    renew('constraints.txt', [*(f'--requirement={file}' for file in files), package])
    renew('sdks-constraints.txt', [f'--requirement={HERE / "sdks.txt"}'])


if __name__ == '__main__':
    main()
