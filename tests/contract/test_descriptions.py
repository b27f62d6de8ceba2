"""Are the descriptions that the rules are tested with, and the names that the rules go by, botocore's own?"""

from __future__ import annotations

import botocore.session
import pytest
from botocore.validate import ParamValidator

from descriptions import DESCRIPTIONS
from firefighter._advice import fit
from firefighter._advice.stream import Kind, read


@pytest.fixture(scope='module')
def model():
    return botocore.session.get_session().get_service_model('firehose')


def enum_violations(shape, value, path=''):
    """Yield what botocore's own validator lets pass: a text that is none of those that are possible."""
    if shape.type_name == 'structure':
        for name, member in value.items():
            yield from enum_violations(shape.members[name], member, f'{path}.{name}')
    elif shape.type_name == 'list':
        for member in value:
            yield from enum_violations(shape.member, member, path)
    elif getattr(shape, 'enum', None) and value not in shape.enum:
        yield path, value


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_a_description_has_only_what_the_model_has(model, name):
    """Each member, its type, and of choices one that there is."""
    shape = model.shape_for('DeliveryStreamDescription')
    report = ParamValidator().validate(DESCRIPTIONS[name], shape)
    assert not report.has_errors(), report.generate_report()
    assert not [*enum_violations(shape, DESCRIPTIONS[name])]


def test_every_destination_of_the_model_is_known_and_has_a_description(model):
    """One that AWS adds is noticed here, before a user has it."""
    shape = model.shape_for('DestinationDescription')
    destinations = {name for name in shape.members if name.endswith('DestinationDescription')}
    assert destinations == {
        f'{kind.value}DestinationDescription' for kind in Kind if kind is not Kind.UNKNOWN
    }
    assert {read(description).kind for description in DESCRIPTIONS.values()} == {*Kind} - {Kind.UNKNOWN}


def test_every_processor_of_the_model_is_known_and_in_a_description(model):
    """As above."""
    processors = set(model.shape_for('ProcessorType').enum)
    assert processors == fit._KNOWN_PROCESSORS
    assert {
        name for description in DESCRIPTIONS.values() for name in read(description).processors
    } == processors


def test_what_is_updated_is_what_the_model_lets_update(model):
    """The command that the doctor prints sets this member of this operation."""
    shape = model.operation_model('UpdateDestination').input_shape
    assert {'DeliveryStreamName', 'CurrentDeliveryStreamVersionId', 'DestinationId'} == set(
        shape.required_members
    )
    assert 'FileExtension' in shape.members['ExtendedS3DestinationUpdate'].members
