"""Public ids."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.kernel.ids import USER, from_uuid, is_id, new_id, to_uuid


@given(st.uuids())
def test_round_trip(value: UUID) -> None:
    text = from_uuid(USER, value)
    assert len(text) == 30
    assert to_uuid(text, prefix=USER) == value


def test_ids_sort_by_time() -> None:
    made = [new_id(USER) for _ in range(200)]
    assert made == sorted(made)
    assert len(set(made)) == 200


@pytest.mark.parametrize(
    "text",
    ["", "usr", "usr_", "ses_01ARZ3NDEKTSV4RRFFQ69G5FAV", "usr_01ARZ3NDEKTSV4RRFFQ69G5FA",
     "usr_01arz3ndektsv4rrffq69g5fav", "usr_81ARZ3NDEKTSV4RRFFQ69G5FAV",
     "usr_01ARZ3NDEKTSV4RRFFQ69G5FAI",
     "usr_01ARZ3NDEKTSV4RRFFQ69G5FAV ", "usr_" + "٠" * 26],
)  # fmt: skip
def test_other_shapes_are_refused(text: str) -> None:
    assert not is_id(text, prefix=USER)
    with pytest.raises(ValueError, match="not a usr id"):
        to_uuid(text, prefix=USER)
