"""Fill rooms with simulated participants and say how it went.

Owns who the bots are (voices, habits, names, incidents, all from one seed) and the report. `simulate` is what `parley simulate` and `parley
demo` call; `python -m simulation.simulate --help` does the same from a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from random import Random
from statistics import median

from deliberation.commands import PostChat
from deliberation.errors import ParleyError
from server.http.models import JoinInfo, JoinRequest
from server.signalling.messages import ServerMessage, Update
from simulation.bot import Bot
from simulation.client import Participant
from simulation.habits import HABITS, Drop, Incident, Person
from simulation.joining import JoinLink, join
from simulation.picture import loop
from simulation.speech import Speaker, load_library, sentences

HABIT_ORDER = ("dominant", "medium", "shy", "occasional", "reader")
SEAT_SECONDS = 120.0  # beyond the design's own wait
JOIN_TRIES = 12
RUDE_LINE = "That is rubbish."


@dataclass(frozen=True, slots=True)
class Report:
    """How a simulation went. Seconds are medians over participants, None where nothing was measured."""

    rooms: int
    participants: int
    finished: int  # participants whose room came to its end
    seconds: float
    join_to_video_seconds: float | None
    clips_spoken: int
    utterances: int
    statements: int
    votes: int
    summaries: int
    cards: dict[str, int]
    reconnections: int
    refused: dict[str, int]
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain data."""
        return asdict(self)


def cast(library: Sequence[Speaker]) -> tuple[Speaker, ...]:
    """Return the speakers in the order in which a group takes them: one of each habit, then again."""
    by_habit = [[s for s in library if s.habit == habit] for habit in HABIT_ORDER]
    others = [s for s in library if s.habit not in HABIT_ORDER]
    return tuple(s for row in zip_longest(*by_habit, others) for s in row if s is not None)


def person_for(speaker: Speaker, index: int, dice: Random, *, incidents: bool) -> Person:
    """Return how a speaker takes part. With `incidents`, things also go wrong: see `INCIDENTS`."""
    habit = HABITS.get(speaker.habit, HABITS["medium"])
    person = Person(habit, sentences(speaker.clips), agreeable=dice.uniform(0.45, 0.8))
    if not incidents:
        return person
    if index == 2:  # the shy one lets the private invitation pass, so that the public one is seen too
        person = replace(person, habit=replace(habit, heeds_private=0.0, accepts_invitation=1.0))
    return replace(person, reading_seconds=(2.0, 14.0), incidents=INCIDENTS.get(index, ()))


INCIDENTS: dict[int, tuple[Incident, ...]] = {
    1: (Incident(32.0, PostChat(text=RUDE_LINE)), Incident(96.0, Drop(4.0))),
    3: (Incident(66.0, Drop(24.0, frozen=True)),),
}


async def simulate(
    join_url: str,
    rooms: int,
    size: int,
    speech_dir: Path | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
    *,
    seed: int = 0,
    incidents: bool = False,
) -> Report:
    """Run `rooms` groups of `size` bots through a whole deliberation. Cancel it to stop early.

    `join_url` is a participants' link; groups form by the server's own rule, so its design's target size should be `size`. With `incidents`
    the bots also misbehave and lose their connection, as the demo's do. Raises `InvalidInput` for a bad link or no speech; what
    goes wrong for a single participant is in the report's `problems`.
    """
    link = JoinLink.parse(join_url)
    speakers = cast(await asyncio.to_thread(load_library, speech_dir))
    run = _Run(link, speakers, on_progress, seed, incidents)
    started = time.time()
    async with asyncio.TaskGroup() as group:
        for room in range(rooms):
            bots = [group.create_task(run.take_part(room, index)) for index in range(size)]
            await run.seated((room + 1) * size, bots)
    return run.report(rooms, time.time() - started)


class _Run:
    def __init__(
        self,
        link: JoinLink,
        speakers: Sequence[Speaker],
        on_progress: Callable[[str], None],
        seed: int,
        incidents: bool,
    ) -> None:
        self.link, self.speakers, self.say = link, speakers, on_progress
        self.seed, self.incidents = seed, incidents
        self.bots: list[Bot] = []
        self.problems: list[str] = []
        self.first_video: list[float] = []
        self.told: set[tuple[str, str]] = set()
        self._seats = 0
        self._seat_taken = asyncio.Event()

    async def take_part(self, room: int, index: int) -> None:
        """Live one bot's life; what goes wrong with it is noted and does not touch the others."""
        number = room * 100 + index
        dice = Random(f"{self.seed}:{number}")
        speaker = self.speakers[index % len(self.speakers)]
        again = index // len(self.speakers)
        name = f"{speaker.name} {again + 1}" if again else speaker.name
        hue = (index * 0.27 + room * 0.11) % 1.0
        await asyncio.to_thread(loop, hue, False)  # the camera is on before one joins, as in the lobby
        clicked = time.time()
        try:
            token = await self._join(name, dice)
            watch = self._narrator(name) if index == 0 else None
            seed = dice.getrandbits(32)
            async with Participant(self.link.server, token, seed=seed, hue=hue, on_message=watch) as participant:
                person = person_for(speaker, index, dice, incidents=self.incidents)
                bot = Bot(participant, speaker, person, seed)
                self.bots.append(bot)
                await participant.until(lambda p: p.view is not None, SEAT_SECONDS)
                self._seats += 1
                self._seat_taken.set()
                await bot.run()
                if participant.times.first_video_at is not None:
                    self.first_video.append(participant.times.first_video_at - clicked)
                if participant.ended is not None:
                    self.problems.append(f"{name}: the connection ended ({participant.ended})")
        except ParleyError as error:
            self.problems.append(f"{name}: {error.message}")
        except TimeoutError:
            self.problems.append(f"{name}: no seat was given in time")
        except Exception as error:
            self.problems.append(f"{name}: {error!r}")

    async def _join(self, name: str, dice: Random) -> str:
        def want(info: JoinInfo) -> JoinRequest:
            return JoinRequest(
                name=name,
                language=info.language,
                consent={"take_part": True, "record": True, "quote": True},
                consent_version=info.consent.version,
                answers={question.id: dice.randint(1, question.scale) for question in info.poll},
                segments={key: dice.choice(values) for key, values in info.segments.items()},
            )

        for attempt in range(JOIN_TRIES):
            try:
                return (await join(self.link, want)).token
            except ParleyError as error:
                if not error.retryable or attempt == JOIN_TRIES - 1:
                    raise
                await asyncio.sleep(dice.uniform(0.5, 1.5) * min(10.0, 0.5 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    async def seated(self, seats: int, bots: Sequence[asyncio.Task[None]]) -> None:
        """Wait until so many have a seat, or the newest have given up."""
        while self._seats < seats and not all(task.done() for task in bots):
            self._seat_taken.clear()
            waiter = asyncio.ensure_future(self._seat_taken.wait())
            await asyncio.wait({waiter, *bots}, return_when=asyncio.FIRST_COMPLETED, timeout=1.0)
            waiter.cancel()

    def _narrator(self, name: str) -> Callable[[ServerMessage, float], None]:
        """Tell the progress of one room, as its first participant sees it: stages and the facilitator's rules, never what people say."""

        def watch(message: ServerMessage, at: float) -> None:
            if not isinstance(message, Update):
                return
            for event in message.events:
                payload = event["payload"]
                kind = payload["kind"]
                if kind == "stage.started":
                    self.say(f"stage “{payload['stage_id']}” has started")
                elif kind == "intervention.made":
                    self.say(f"the facilitator acts: {payload['rule']}")
                elif kind == "room.closed":
                    self.say(f"the room is over ({payload['reason']})")

        return watch

    def report(self, rooms: int, seconds: float) -> Report:
        """Sum up."""
        views = {b.participant.room_id: b.participant.view for b in self.bots if b.participant.view is not None}
        seen = [view for view in views.values() if view is not None]
        cards: dict[str, str] = {}
        for bot in self.bots:
            if bot.participant.view:
                cards |= {c.intervention_id: c.rule for c in bot.participant.view.cards.values()}
        finished = sum(b.participant.view is not None and b.participant.view.closed_at is not None for b in self.bots)
        refused: Counter[str] = sum((bot.refused for bot in self.bots), Counter())
        return Report(
            rooms=rooms,
            participants=len(self.bots),
            finished=finished,
            seconds=round(seconds, 1),
            join_to_video_seconds=round(median(self.first_video), 2) if self.first_video else None,
            clips_spoken=sum(s.ended_at is not None for b in self.bots for s in b.participant.spoken),
            utterances=sum(len(view.utterances) for view in seen),
            statements=sum(len(view.statements) for view in seen),
            votes=sum(s.agree + s.disagree + s.passed for view in seen for s in view.statements.values()),
            summaries=sum(view.summary is not None for view in seen),
            cards=dict(sorted(Counter(cards.values()).items())),
            reconnections=sum(max(0, b.participant.times.connections - 1) for b in self.bots),
            refused=dict(refused),
            problems=tuple(self.problems),
        )


def main() -> int:
    """Run a simulation against a running server, from a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m simulation.simulate", description=str(__doc__).splitlines()[0])
    parser.add_argument("join_url", help="a participants' link")
    parser.add_argument("--rooms", type=int, default=1)
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--speech", type=Path, help="a folder of recordings (default: the packaged ones)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--incidents", action="store_true", help="let things go wrong, as in the demo")
    given = parser.parse_args()
    began = time.time()

    def say(line: str) -> None:
        print(f"{time.time() - began:6.1f} s  {line}", flush=True)

    try:
        report = asyncio.run(
            simulate(
                given.join_url, given.rooms, given.size, given.speech, say, seed=given.seed, incidents=given.incidents
            )
        )
    except ParleyError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for name, value in report.as_dict().items():
        print(f"{name}: {value}")
    return 0 if report.finished == given.rooms * given.size and not report.problems else 1


if __name__ == "__main__":
    sys.exit(main())
