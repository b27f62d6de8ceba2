"""Does every test exist that is said to hold a promise?"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pains import PAINS

TESTS = Path(__file__).parents[1]


def names_in(file):
    """Return the names of the tests that a file of ours has."""
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text('utf-8')))
        if isinstance(node, ast.FunctionDef) and node.name.startswith('test_')
    }


@pytest.mark.parametrize('number', PAINS)
def test_each_pain_has_tests_and_they_exist(number):
    """A test that is renamed or removed is missed here."""
    pain = PAINS[number]
    assert pain.phrase
    assert pain.tests
    for file, names in pain.tests.items():
        assert names
        assert set(names) <= names_in(TESTS / file)


def test_the_rows_are_in_order():
    """So that a reader finds one."""
    assert list(PAINS) == sorted(PAINS)
