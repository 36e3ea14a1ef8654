"""A room's transcription in virtual time: real Opus and segmenting, loudness for voice, answers given by the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from deliberation.errors import Unavailable
from tests.transcription.fakes import Clock, LoudnessVoice, MemoryWork, packets, silence, sound, tone
from transcription.decode import AudioPacket, decode_pieces
from transcription.scheduler import partial_interval
from transcription.settings import TranscriptionSettings
from transcription.stream import RoomTranscriber
from transcription.utterances import Behind, Final, Partial, Revised, StreamEvent, VoiceEnded, VoiceStarted
from transcription.work import WorkItem

START = 1000.0
Reader = Callable[[WorkItem], str | None]


def by_length(item: WorkItem) -> str:
    """As many words as seconds."""
    return " ".join(f"w{index}" for index in range(max(1, round(item.seconds - 0.45))))


class Stage:
    """A room, a queue in memory, and a recogniser that answers after `delay` seconds, or not while `reads` is None."""

    def __init__(self, *, delay: float = 0.3, reads: Reader | None = by_length, **settings: object) -> None:
        self.clock = Clock(START)
        self.work = MemoryWork(self.clock)
        self.events: list[tuple[float, StreamEvent]] = []
        self.delay = delay
        self.reads = reads
        self.room = RoomTranscriber(
            "room",
            self.work,
            lambda event: self.events.append((self.clock.now - START, event)),
            TranscriptionSettings(**settings),  # type: ignore[arg-type]
            language="en",
            hotwords=("Zürich", "ranked choice"),
            clock=self.clock,
            voice=LoudnessVoice,
        )
        self.work.subscribe("room", self.room.take)

    async def play(self, *streams: Sequence[AudioPacket], until: float, step: float = 0.064) -> None:
        """Let time run to `until` seconds after the start."""
        waiting = sorted((packet for stream in streams for packet in stream), key=lambda packet: packet.at)
        while self.clock.now < START + until:
            while waiting and waiting[0].at <= self.clock.now:
                self.room.push(waiting.pop(0))
            await self.room.step(self.clock.now)
            try:
                await self.room.send(self.clock.now)
            except Unavailable:
                assert self.work.down
            self.answer_due()
            self.clock.now += step

    def answer_due(self) -> None:
        for item, at in list(self.work.waiting.values()):
            if self.reads is not None and self.clock.now - at >= self.delay:
                text = self.reads(item)
                if text is not None:
                    self.work.answer(item, text)

    def all(self, kind: type) -> list[StreamEvent]:
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def finals(self) -> list[str]:
        return [event.utterance.text for event in self.all(Final)]  # type: ignore[union-attr]


SENTENCE = sound(silence(0.5), tone(3), silence(2))


async def test_a_sentence_becomes_voice_partials_and_one_final_with_times() -> None:
    stage = Stage()
    await stage.play(packets(SENTENCE), until=6)
    (started,) = stage.all(VoiceStarted)
    (ended,) = stage.all(VoiceEnded)
    assert started.at == pytest.approx(START + 0.5, abs=0.08)
    assert (ended.started_at, ended.ended_at) == (started.at, pytest.approx(START + 3.5, abs=0.08))
    (final,) = stage.all(Final)
    utterance = final.utterance
    assert utterance.text == "w0 w1 w2" and utterance.participant_id == "ada" and utterance.language == "en"
    assert (utterance.started_at, utterance.ended_at) == (ended.started_at, ended.ended_at)
    assert [word.text for word in utterance.words] == ["w0", "w1", "w2"]
    assert START + 0.2 < utterance.words[0].start < utterance.words[-1].end < START + 3.8
    assert {partial.utterance_id for partial in stage.all(Partial)} == {utterance.utterance_id}
    solid = [partial.solid for partial in stage.all(Partial)]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(solid))


async def test_partials_come_once_a_second_and_finals_carry_the_agendas_terms() -> None:
    stage = Stage()
    await stage.play(packets(sound(silence(0.5), tone(8), silence(1))), until=10)
    partials = [item for item in stage.work.submitted if item.kind == "partial"]
    assert 6 <= len(partials) <= 8
    (final,) = [item for item in stage.work.submitted if item.kind == "final"]
    assert final.hotwords == "Zürich ranked choice"


async def test_the_audio_asked_about_is_the_speech_with_a_little_around_it() -> None:
    stage = Stage()
    await stage.play(packets(SENTENCE), until=6)
    (final,) = [item for item in stage.work.submitted if item.kind == "final"]
    heard = decode_pieces(final.pieces)
    assert len(heard) / 16_000 == pytest.approx(3.45, abs=0.07)
    assert np.sqrt(np.mean(heard[8000:-8000] ** 2)) > 0.15


async def test_the_final_is_begun_before_the_endpoint_and_shown_when_speech_has_ended() -> None:
    stage = Stage(delay=0.0)
    await stage.play(packets(SENTENCE), until=6)
    asked = next(at for at, event in stage.events if isinstance(event, Final))
    ended = next(at for at, event in stage.events if isinstance(event, VoiceEnded))
    assert asked == ended
    assert asked < 3.5 + 0.5 + 0.4


async def test_a_final_begun_too_early_is_taken_back() -> None:
    stage = Stage(delay=10)
    await stage.play(packets(sound(tone(2), silence(0.4), tone(2), silence(2))), until=6)
    finals = [item.item_id for item in stage.work.submitted if item.kind == "final"]
    assert len(finals) == 2
    assert finals[0] in stage.work.cancelled and finals[1] not in stage.work.cancelled
    await stage.play(until=16)
    assert len(stage.finals) == 1


async def test_an_early_final_still_being_read_when_speech_goes_on_serves_as_a_partial() -> None:
    stage = Stage(delay=0.3)
    await stage.play(packets(sound(tone(0.6), silence(0.45), tone(1.5), silence(2))), until=7)
    first, second = [item for item in stage.work.submitted if item.kind == "final"]
    assert first.item_id not in stage.work.cancelled
    at, shown = next((at, event) for at, event in stage.events if isinstance(event, Partial))
    assert shown.tail == by_length(first) and at < 2.0
    assert stage.finals == [by_length(second)]


async def test_an_early_final_is_shown_as_soon_as_it_comes() -> None:
    stage = Stage(delay=0.05, reads=lambda item: by_length(item) if item.kind == "final" else None)
    await stage.play(packets(sound(tone(2), silence(0.4), tone(2), silence(2))), until=7)
    first, second = [item for item in stage.work.submitted if item.kind == "final"]
    shown = [(at, event) for at, event in stage.events if isinstance(event, Partial)]
    assert [f"{event.solid} {event.tail}".split() for _, event in shown] == [
        by_length(item).split() for item in (first, second)
    ]
    assert shown[0][0] < 2.4 + 0.1, "in the pause, before speech goes on"
    assert stage.finals == [by_length(second)]


async def test_people_who_speak_at_once_are_each_heard() -> None:
    stage = Stage()
    ada = packets(sound(silence(0.5), tone(3), silence(2)), "ada")
    bob = packets(sound(silence(1.5), tone(3), silence(1)), "bob", timestamp=77)
    await stage.play(ada, bob, until=7)
    spans = {event.participant_id: (event.started_at, event.ended_at) for event in stage.all(VoiceEnded)}
    assert spans["bob"][0] < spans["ada"][1]
    assert {event.utterance.participant_id for event in stage.all(Final)} == {"ada", "bob"}


async def test_long_speech_is_cut_without_the_voice_ending() -> None:
    stage = Stage()
    await stage.play(packets(sound(silence(0.5), tone(15), silence(2))), until=19)
    assert len(stage.all(VoiceStarted)) == len(stage.all(VoiceEnded)) == 1
    first, second = (event.utterance for event in stage.all(Final))
    assert first.ended_at == pytest.approx(second.started_at, abs=0.01)
    assert first.utterance_id != second.utterance_id


async def test_nothing_heard_gives_no_final_and_clears_what_was_shown() -> None:
    stage = Stage(reads=lambda item: "w0 w1" if item.kind == "partial" else "")
    await stage.play(packets(SENTENCE), until=6)
    assert stage.finals == []
    last = stage.all(Partial)[-1]
    assert (last.solid, last.tail) == ("", "")


async def test_a_speaker_who_leaves_in_mid_sentence_gets_a_final() -> None:
    stage = Stage()
    await stage.play(packets(tone(2)), until=1.9)
    stage.room.remove("ada")
    await stage.play(until=4)
    assert len(stage.finals) == 1
    assert len(stage.all(VoiceEnded)) == 1


async def test_a_doubled_answer_is_used_once() -> None:
    stage = Stage()
    await stage.play(packets(SENTENCE), until=6)
    final = next(item for item in stage.work.submitted if item.kind == "final")
    stage.work.answer(final, "again")
    assert stage.finals == ["w0 w1 w2"]


async def test_a_failed_final_is_asked_for_once_more() -> None:
    stage = Stage(reads=None)
    await stage.play(packets(SENTENCE), until=5)
    (first,) = stage.work.waits("final")
    stage.work.answer(first, "", outcome="failed")
    stage.reads = by_length
    await stage.play(until=6)
    assert stage.finals == ["w0 w1 w2"]


async def test_finals_that_a_restarted_queue_lost_are_sent_again() -> None:
    stage = Stage(reads=None)
    await stage.play(packets(SENTENCE), until=4.2)
    assert stage.work.waits("final")
    stage.work.lose()
    stage.reads = by_length
    await stage.play(until=11)
    assert stage.finals == ["w0 w1 w2"]
    assert len({item.item_id for item in stage.work.submitted if item.kind == "final"}) == 1


async def test_finals_wait_for_a_queue_that_is_away() -> None:
    stage = Stage()
    stage.work.down = True
    await stage.play(packets(SENTENCE), until=8)
    assert stage.finals == [] and not stage.work.submitted
    stage.work.down = False
    await stage.play(until=9)
    assert stage.finals == ["w0 w1 w2"]


async def test_the_room_says_when_captions_are_behind_and_when_they_have_caught_up() -> None:
    stage = Stage(reads=None)
    await stage.play(packets(SENTENCE), until=12)
    seconds = [event.seconds for event in stage.all(Behind)]
    assert seconds[0] > 4 and seconds == sorted(seconds)
    stage.reads = by_length
    await stage.play(until=12.5)
    assert stage.all(Behind)[-1] == Behind(0.0)


async def test_partials_thin_out_while_recognisers_are_late() -> None:
    late, quick = Stage(delay=2.0), Stage(delay=0.2)
    speech = packets(sound(tone(30), silence(1)))
    await late.play(speech, until=31)
    await quick.play(speech, until=31)

    def count(stage: Stage) -> int:
        return sum(1 for item in stage.work.submitted if item.kind == "partial")

    assert count(late) < count(quick) / 2


def test_partials_come_sooner_where_reading_is_slow_and_thin_out_where_they_wait() -> None:
    settings = TranscriptionSettings()

    def after(read: float, waited: float, *, expired: bool = False, answers: int = 30) -> float:
        interval = settings.partial_every_seconds
        for _ in range(answers):
            interval = partial_interval(interval, read, waited, expired, settings)
        return interval

    assert after(0.12, 0.05) == settings.partial_every_seconds
    assert settings.partial_every_at_least_seconds < after(0.3, 0.05) < settings.partial_every_seconds
    assert after(2.0, 0.05) == settings.partial_every_at_least_seconds
    assert after(0.3, 0.5) == after(0.1, 0.0, expired=True) == settings.partial_every_at_most_seconds


async def test_ten_times_too_much_speech_loses_and_doubles_no_final(tmp_path: Path) -> None:
    """Sixteen people talk; one reader takes a second for each final. Everything arrives, late."""
    stage = Stage(reads=None, spill_dir=tmp_path, finals_in_memory=3)
    phrase = sound(tone(0.8), silence(0.7))
    streams = [packets(sound(*[phrase] * 8), f"p{index}", timestamp=index * 999) for index in range(16)]
    await stage.play(*streams, until=14, step=0.256)
    waiting_on_disk = len(list((tmp_path / "room").iterdir()))
    assert waiting_on_disk > 50
    for _ in range(400):
        for item in stage.work.waits("final"):
            stage.work.answer(item, by_length(item))
        await stage.play(until=stage.clock.now - START + 0.1, step=0.1)
    assert len(stage.finals) == 16 * 8
    assert len({event.utterance.utterance_id for event in stage.all(Final)}) == 16 * 8
    assert not list((tmp_path / "room").iterdir())


async def test_what_was_said_is_read_again_in_a_silence_and_only_changes_are_told() -> None:
    def reads(item: WorkItem) -> str:
        return "better one better two" if item.kind == "refine" else "better one"

    stage = Stage(reads=reads)
    await stage.play(packets(sound(tone(2), silence(1), tone(2), silence(1))), until=20)
    first, second = (event.utterance for event in stage.all(Final))
    assert first.text == second.text == "better one"
    (revised,) = stage.all(Revised)
    assert revised.utterance.utterance_id == second.utterance_id
    assert revised.utterance.text == "better two"
    assert revised.utterance.started_at == second.started_at


async def test_a_language_is_locked_after_agreeing_detections_and_can_be_chosen() -> None:
    stage = Stage()
    stage.room.set_language("ada", None)
    await stage.play(packets(sound(*[sound(tone(3.5), silence(1))] * 4)), until=19)
    languages = [item.language for item in stage.work.submitted if item.kind == "final"]
    assert languages[:2] == [None, None] and languages[-1] == "en"
    stage.room.set_language("ada", "de-CH")
    await stage.play(packets(sound(tone(2), silence(1)), starts_at=START + 19), until=23)
    assert stage.work.submitted[-1].language == "de"


async def test_a_speakers_audio_that_cannot_be_heard_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    ada, bob = packets(SENTENCE, "ada"), packets(SENTENCE, "bob")
    await stage.play(ada[:20], bob[:20], until=0.5)
    broken = stage.room._people["ada"].speaker
    monkeypatch.setattr(broken, "_hear", lambda _: 1 / 0)
    await stage.play(ada[20:100], bob[20:], until=6)
    assert {event.utterance.participant_id for event in stage.all(Final)} == {"bob"}


async def test_closing_ends_what_is_being_said_and_waits_for_its_final() -> None:
    import asyncio

    stage = Stage(reads=None)
    clock_free = asyncio.create_task(stage.room.run())
    for packet in packets(tone(2)):
        stage.room.push(packet)
    stage.clock.now += 2.5
    closing = asyncio.create_task(stage.room.close())
    async with asyncio.timeout(5):
        while not stage.work.waits("final"):
            await asyncio.sleep(0)
        stage.work.answer(stage.work.waits("final")[0], "the end")
        while not stage.work.waits("refine"):
            await asyncio.sleep(0)
        stage.work.answer(stage.work.waits("refine")[0], "the very end")
        await closing
        await clock_free
    assert stage.finals == ["the end"]
    assert [event.utterance.text for event in stage.all(Revised)] == ["the very end"]
    assert stage.work.handlers == {}
