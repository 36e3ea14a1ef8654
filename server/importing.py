"""`parley import`: a recorded or on-site meeting becomes a finished room of a deliberation, like those that met here.

Owns: the room's log, made from what the recogniser read: people, attested consent, stages, speech, then statements and summary by the same
facilitator as in a live room. Works beside a running server: the live bus and the recogniser are its own, unless `PARLEY_REDIS_URL` names
others. Never does: rules (nobody was facilitated by us), votes, telling voices in one channel apart.
Called by: the command line.

Invariant: the whole log is stored at once, or nothing is.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, TypeVar

from deliberation import agenda
from deliberation.design import Design, Stage
from deliberation.errors import InvalidInput, NotFound, Unavailable
from deliberation.events import (
    AI,
    SYSTEM,
    Event,
    Payload,
    RoomOpened,
    SpeechEnded,
    SpeechStarted,
    UtteranceFinal,
    Word,
)
from deliberation.room import fold
from deliberation.state import RoomState
from facilitator.agent import RoomFacilitator
from facilitator.llm import LanguageModel
from server import children
from server.app import language_model, worker_environment
from server.clock import now
from server.ids import new_id
from server.parts import database_url, transcription_settings
from server.rooms.seating import arrival
from server.settings import Settings
from server.storage.records import ParticipantRecord
from server.storage.store import Store
from server.valkey import redis_for
from server.work_streams import RedisWorkQueue
from transcription.importing import Imported, import_recording
from transcription.settings import TranscriptionSettings
from transcription.utterances import Utterance
from transcription.voice import SileroVoice, VoiceDetector
from transcription.work import WorkQueue

CONSENT = {"take_part": True, "record": False, "quote": False}
CONSENT_VERSION = "imported"  # nobody ticked a box here: the organiser attests it
UNKNOWN = "Unknown speaker"
UNTIMED_MINUTES = 5.0  # a stage without a limit weighs this much where the talk is shared out
RECOGNISER_TRIES = 20  # seconds that somebody else's recogniser may take to show itself
MAX_COHORT = 64

T = TypeVar("T")


async def import_meeting(
    settings: Settings, file: Path, deliberation_id: str, speaker_names: Sequence[str], cohort: str
) -> int:
    """Import a recording and say what became of it. Returns an exit code.

    `speaker_names` goes by channel; empty: one unknown speaker for all. Raises `NotFound` (file, data folder, deliberation), `InvalidInput`
    (recording, channels, cohort, no speech) or `Unavailable` (recogniser, disk).
    """
    await asyncio.to_thread(_check, settings, file)
    if not 0 < len(cohort) <= MAX_COHORT:
        raise InvalidInput("bad_cohort", f"A cohort's name has 1 to {MAX_COHORT} characters.")
    store = await Store.open(database_url(settings), settings.data_dir / "audio")
    try:
        design = (await store.deliberation(deliberation_id)).design
        with (
            tempfile.TemporaryDirectory(prefix="parley-") as folder,
            redis_for(Path(folder), settings.redis_url) as url,
        ):
            async with RedisWorkQueue(url, new_id()) as work:

                async def read() -> str:
                    return await import_into(
                        store,
                        work,
                        transcription_settings(settings),
                        file,
                        design,
                        speaker_names,
                        cohort,
                        language_model(settings),
                        on_progress=Progress(sys.stderr).show,
                    )

                if settings.redis_url:
                    await _await_recogniser(work)
                    report = await read()
                else:
                    report = await _beside_worker(worker_environment(settings, url), read())
    finally:
        await store.close()
    print(report)
    return 0


def _check(settings: Settings, file: Path) -> None:
    if not file.is_file():
        raise NotFound("no_file", f"There is no file {file}.")
    if settings.database_url is None and not (settings.data_dir / "parley.db").exists():
        raise NotFound(
            "no_data", f"There is no Parley data in {settings.data_dir}.", "Name its folder with --data-dir."
        )


async def import_into(
    store: Store,
    work: WorkQueue,
    settings: TranscriptionSettings,
    file: Path,
    design: Design,
    speaker_names: Sequence[str],
    cohort: str,
    model: LanguageModel | None = None,
    *,
    on_progress: Callable[[float], None] = lambda fraction: None,
    voice: Callable[[], VoiceDetector] = SileroVoice,
) -> str:
    """Read a recording and store it as a finished room; return a sentence about it."""
    people = _people(speaker_names, design, cohort)
    imported = await import_recording(
        file,
        work,
        settings,
        participants=[person.participant_id for person in people],
        started_at=0.0,  # shifted below, once the length is known: files need not say it
        language=design.transcription.language,
        hotwords=(*design.transcription.vocabulary, *speaker_names),
        on_progress=on_progress,
        voice=voice,
    )
    if not imported.utterances:
        raise InvalidInput("no_speech", f"No speech was found in {file.name}; nothing was imported.")
    began = round(now() - max(imported.seconds, imported.utterances[-1].ended_at), 3)  # as exact as what is shifted by it
    number = 1 + len([room for room in await store.rooms(design.id) if room.meeting])
    room_id = new_id()
    log = await meeting_log(room_id, number, design, people, imported, began, model)
    await store.append(room_id, 1, log.events)
    for person in people:
        await store.add_participant(replace(person, room_id=room_id))
    state = log.state
    points = len(state.summary.sentences) if state.summary else 0
    report = (
        f"{file.name} is room {number} ({room_id}) of {design.id} now: {imported.seconds / 60:.1f} minutes,"
        f" {len(state.utterances)} utterances, {len(state.statements)} statements, a summary of {points} sentences."
    )
    if imported.unread_seconds:
        report += f" {imported.unread_seconds:.0f} seconds of speech could not be read."
    return report


def _people(names: Sequence[str], design: Design, cohort: str) -> list[ParticipantRecord]:
    """Return one record per named channel, or a single unknown speaker.

    The unknown one is called so only where names are shown; elsewhere seats are, and a name would be masked in what was said.
    """
    unknown = UNKNOWN if design.privacy.mode == "named" else None
    channels: Sequence[str | None] = names or (unknown,)
    return [
        ParticipantRecord(
            participant_id=new_id(),
            deliberation_id=design.id,
            joined_at=now(),
            name=name,
            language=design.language,
            consent=CONSENT,
            consent_version=CONSENT_VERSION,
            mode="on-site",
            cohort=cohort,
        )
        for name in channels
    ]


# -- the log


class Log:
    """A room's log in the making, with the state it folds to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.state = RoomState()

    def add(self, at: float, payloads: Sequence[Payload], actor: str = SYSTEM) -> None:
        """Append events; time never runs back."""
        for payload in payloads:
            event = Event(len(self.events) + 1, max(at, self.state.at), actor, payload)
            self.events.append(event)
            self.state = fold(self.state, event)


@dataclass(frozen=True, slots=True)
class _Spoken:
    at: float
    actor: str
    payload: Payload


async def meeting_log(
    room_id: str,
    number: int,
    design: Design,
    people: Sequence[ParticipantRecord],
    imported: Imported,
    began: float,
    model: LanguageModel | None,
) -> Log:
    """Return the whole log of an imported meeting that began at `began` (Unix seconds)."""
    log = Log()
    opened = RoomOpened(
        deliberation_id=design.id, room_id=room_id, number=number, design=design.model_dump(mode="json")
    )
    log.add(began, [opened, *(p for seat, person in enumerate(people, 1) for p in arrival(person, seat, design))])
    utterances = [_shifted(one, began) for one in imported.utterances]
    ends = [began + end for end in shared_out(design.agenda, imported)]
    spoken = _speech(utterances)
    facilitator = _facilitator(log, model)
    log.add(began, agenda.start_stage(log.state, 0, began))
    for index, end in enumerate(ends):
        while spoken and (spoken[0].at < end or index == _last_talk(design.agenda)):
            one = spoken.pop(0)
            log.add(one.at, [one.payload], one.actor)
        if design.agenda[index].kind != "discussion":
            facilitator.observe(log.state)
            await facilitator.settle()
        log.add(end, agenda.next_stage(log.state, max(end, log.state.at), "time"))
    return log


def shared_out(stages: Sequence[Stage], imported: Imported) -> list[float]:
    """Return when each stage ends, in seconds from the beginning.

    Nobody noted when the group moved on, so the talk is shared among the discussions in proportion to their planned minutes, each boundary
    moved to the nearest beginning of an utterance. Statements and closing take no time of the recording.
    """
    talks = _talks(stages)
    weights = [(stage.minutes or UNTIMED_MINUTES) if index in talks else 0.0 for index, stage in enumerate(stages)]
    length = max(imported.seconds, imported.utterances[-1].ended_at)
    ends: list[float] = []
    for index in range(len(stages)):
        if index >= talks[-1]:
            ends.append(length)
            continue
        target = length * sum(weights[: index + 1]) / sum(weights)
        nearest = min((u.started_at for u in imported.utterances), key=lambda at: abs(at - target))
        ends.append(max(nearest, ends[-1] if ends else 0.0))
    return ends


def _talks(stages: Sequence[Stage]) -> list[int]:
    """Return the indexes of the stages that the talk belongs to: the discussions, or the first stage where there is none."""
    return [index for index, stage in enumerate(stages) if stage.kind == "discussion"] or [0]


def _last_talk(stages: Sequence[Stage]) -> int:
    return _talks(stages)[-1]


def _speech(utterances: Sequence[Utterance]) -> list[_Spoken]:
    """Return speech and utterances as events in order of time. A stretch of speech goes on where utterances touch."""
    found: list[_Spoken] = []
    stretches: dict[str, tuple[float, float]] = {}

    def close(who: str, started_at: float, ended_at: float) -> None:
        ended = SpeechEnded(participant_id=who, started_at=started_at, ended_at=ended_at)
        found.append(_Spoken(started_at, SYSTEM, SpeechStarted(participant_id=who, started_at=started_at)))
        found.append(_Spoken(ended_at, SYSTEM, ended))

    for u in sorted(utterances, key=lambda one: one.started_at):
        who = u.participant_id
        started_at, ended_at = stretches.get(who, (u.started_at, u.started_at))
        if u.started_at > ended_at + 0.01:
            close(who, started_at, ended_at)
            started_at = u.started_at
        stretches[who] = (started_at, max(ended_at, u.ended_at))
        words = tuple(Word(text=w.text, start=w.start, end=w.end, probability=w.probability) for w in u.words)
        final = UtteranceFinal(
            utterance_id=u.utterance_id,
            participant_id=who,
            started_at=u.started_at,
            ended_at=u.ended_at,
            text=u.text,
            words=words,
            confidence=u.confidence,
            language=u.language,
        )
        found.append(_Spoken(u.ended_at, who, final))
    for who, (started_at, ended_at) in stretches.items():
        close(who, started_at, ended_at)
    return sorted(found, key=lambda one: one.at)


def _shifted(utterance: Utterance, by: float) -> Utterance:
    """Return the utterance later by `by` seconds, to the millisecond."""
    words = tuple(
        replace(w, start=round(w.start + by, 3), end=round(w.end + by, 3), probability=round(w.probability, 3))
        for w in utterance.words
    )
    started_at, ended_at = round(utterance.started_at + by, 3), round(utterance.ended_at + by, 3)
    return replace(utterance, started_at=started_at, ended_at=ended_at, words=words)


def _facilitator(log: Log, model: LanguageModel | None) -> RoomFacilitator:
    """Return the room's facilitator, whose slow work alone is asked for."""

    async def act(make: Callable[[RoomState], Sequence[Payload]]) -> None:
        log.add(log.state.at, make(log.state), AI)
        facilitator.observe(log.state)

    facilitator = RoomFacilitator(
        model if log.state.facilitation.mode == "model" else None, act, new_id, lambda: log.state.at
    )
    return facilitator


# -- the recogniser


async def _beside_worker(environment: dict[str, str], job: Coroutine[Any, Any, T]) -> T:
    """Do the job while a recogniser of our own runs. Raises `Unavailable` where that ends too early."""
    process = await children.start(["server", "worker"], environment)
    working = asyncio.create_task(job)
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Unavailable("recogniser_ended", "The speech recogniser ended; nothing was imported.")
        return working.result()
    finally:
        for task in (working, ended):
            task.cancel()
        await asyncio.gather(working, ended, return_exceptions=True)
        await children.end(process)


async def _await_recogniser(work: RedisWorkQueue) -> None:
    for _ in range(RECOGNISER_TRIES):
        if await work.workers():
            return
        await asyncio.sleep(1)
    raise Unavailable(
        "no_recogniser", "No recogniser takes work from PARLEY_REDIS_URL.", "Start one with `parley worker`."
    )


class Progress:
    """A bar on a terminal; in a file, a line for each tenth."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown = -1

    def show(self, fraction: float) -> None:
        """Show how much is done, 0..1."""
        percent = int(fraction * 100)
        if percent == self._shown:
            return
        if self._out.isatty():
            filled = percent * 30 // 100
            end = "\n" if percent == 100 else ""
            self._out.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {percent:3d} %{end}")
        elif percent // 10 > self._shown // 10:
            self._out.write(f"{percent // 10 * 10} % read\n")
        self._out.flush()
        self._shown = percent
