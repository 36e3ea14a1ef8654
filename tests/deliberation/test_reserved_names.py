from __future__ import annotations

import json
from pathlib import Path

import pytest

from deliberation.reserved_names import impersonates

CATALOGUES = Path(__file__).parents[2] / "web" / "src" / "i18n"


@pytest.mark.parametrize(
    "name",
    (
        "Facilitator", "AI facilitator", "a.i. FACILITATOR", "A I  facili tator", "Facilitator 2", "Fаcilitator", "FaciIitator", "Fac1l1tat0r",
        "Ｐａｒｌｅｙ", "P a r l e y", "parley!", "The Moderator", "Facilitador de IA", "facilitadora (IA)", "الميسّر", "ميسِّر بالذكاء الاصطناعي", "المـيسر",
        "\u200bParley\u200b", "System", "Human facilitator",
    ),
)  # fmt: skip
def test_names_that_pass_for_the_facilitators_are_refused(name: str) -> None:
    assert impersonates(name)


@pytest.mark.parametrize("key", ("card.ai", "card.human", "role.facilitator"))
@pytest.mark.parametrize("language", ("en", "es", "ar"))
def test_what_the_pages_call_the_facilitator_is_reserved(language: str, key: str) -> None:
    assert impersonates(json.loads((CATALOGUES / f"{language}.json").read_text())[key])


@pytest.mark.parametrize("name", ("Ada", "Ai", "Faisal", "Parlene", "Mo", "Will", "Amina الميسري", "María José", "Ильяс", "Participant", "Li 1", "7"))
def test_peoples_names_are_not(name: str) -> None:
    assert not impersonates(name)
