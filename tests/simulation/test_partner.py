from __future__ import annotations

from itertools import pairwise

from deliberation.commands import CastVote, PostChat, Ready
from deliberation.events import MemberAway, RoomClosed, SpeechStarted
from deliberation.view import room_view
from simulation.partner import ALONE_SECONDS, GREETING, Listening, nearest, partner_acts
from simulation.speech import Clip, load_library
from tests.deliberation.rooms import Log

CLIPS = next(speaker for speaker in load_library() if speaker.name == "Amara").clips


class Practice:
    """Ann practises with a simulated partner."""

    def __init__(self) -> None:
        self.log = Log(people=["ann"])
        self.log.join("bot", simulated=True)
        self.mind = Listening()

    def look(self, seconds: float = 0.5) -> list[object]:
        self.log.wait(seconds)
        view = room_view(self.log.state, "participant", "bot")
        acts, self.mind = partner_acts(view, self.log.now, CLIPS, self.mind)
        return list(acts)

    def settle(self) -> list[object]:
        return [act for _ in range(6) for act in self.look()]


def test_it_greets_once_in_writing_and_aloud_when_the_practice_has_begun() -> None:
    practice = Practice()
    assert practice.look() == []
    practice.log.start()
    assert practice.look() == [PostChat(text=GREETING), CLIPS[0]]
    assert practice.settle() == []


def test_it_answers_what_is_said_after_a_pause_with_something_near() -> None:
    practice = Practice()
    practice.log.start(), practice.look()
    practice.log.utter("ann", "who is liable, and how many complaints are there?", practice.log.now + 1)
    practice.log.add(SpeechStarted(participant_id="ann", started_at=practice.log.now))
    assert practice.settle() == []  # ann goes on speaking
    practice.log.speak("ann", 1)
    (answer,) = practice.settle()
    assert isinstance(answer, Clip) and "liable" in answer.text
    assert practice.settle() == []


def test_it_answers_in_writing_too_and_never_says_the_same_twice_in_a_row() -> None:
    practice = Practice()
    practice.log.start(), practice.look()
    said: list[object] = []
    for number in range(8):
        practice.log.wait(1).do("ann", PostChat(text=f"And {number}?"))
        said += practice.settle()
    assert len(said) == 8
    assert all(one != other for one, other in pairwise(said))


def test_it_moves_on_with_the_person_and_votes() -> None:
    practice = Practice()
    practice.log.start(), practice.look()
    practice.log.do("ann", Ready())
    assert practice.look() == [Ready()]
    stages = [{"id": "v", "title": "V", "kind": "statements", "seed_statements": ["Build it."]}]
    voting = Practice()
    voting.log = Log(people=["ann"], stages=stages).join("bot", simulated=True).start()
    voting.look()
    assert voting.look() == [CastVote(statement_id="v-seed-1", value=1)]


def test_it_ends_with_the_room_or_when_it_has_been_alone_for_long() -> None:
    practice = Practice()
    practice.log.start(), practice.look()
    practice.log.add(MemberAway(participant_id="ann"))
    practice.look()
    practice.look(ALONE_SECONDS)
    assert not practice.mind.over
    practice.look(1)
    assert practice.mind.over
    practice = Practice()
    practice.log.start().add(RoomClosed(reason="finished"))
    practice.look()
    assert practice.mind.over


def test_the_nearest_clip_shares_most_words() -> None:
    assert "register" in nearest("what about a public register?", CLIPS, frozenset()).text
    said = frozenset(clip.clip_id for clip in CLIPS[:-1])
    assert nearest("anything", CLIPS, said) == CLIPS[-1]
