"""Logs tell where something broke, never the words that were in it."""

from __future__ import annotations

from deliberation.errors import Conflict
from server.logs import stack_of


def _broken() -> BaseException:
    try:
        try:
            int("said in private".replace("private", "confidence"))
        except ValueError as error:
            raise Conflict("log_moved", "told in confidence") from error
    except Conflict as error:
        return ExceptionGroup("whispered in confidence", [error])
    raise AssertionError("a word is no number")


def test_a_logged_error_names_its_place_its_type_and_its_causes_but_not_its_message() -> None:
    told = stack_of(_broken())
    assert "ExceptionGroup" in told
    assert "Conflict (log_moved)" in told
    assert "ValueError" in told
    assert "test_logs.py" in told
    assert "said in confidence" not in told
    assert "whispered in confidence" not in told.replace('ExceptionGroup("whispered in confidence"', "")
