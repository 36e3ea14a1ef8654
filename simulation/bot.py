"""A participant with habits: looks at the room twice a second and does what its habits say.

Owns the loop between `habits` (pure) and `client` (the connection), and what has to last longer than one look: speaking a clip to its end,
being out of touch. Called by `simulate` and `partner`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import replace
from itertools import cycle
from random import Random

from deliberation.errors import InvalidInput, ParleyError
from simulation.client import Participant
from simulation.habits import Act, Drop, Mind, Person, Say, next_acts
from simulation.speech import Speaker, prepare

LOOK_SECONDS = 0.5
BREATH_SECONDS = 0.4
LINGER_SECONDS = 3.0  # after the room has closed: the closing view's last updates are still read


class Bot:
    """Run it until its room is over. `refused` counts the codes of refused commands."""

    def __init__(self, participant: Participant, speaker: Speaker, person: Person, seed: int) -> None:
        self.participant = participant
        self.speaker = speaker
        self.refused: Counter[str] = Counter()
        self.mind = Mind()
        self._person = person
        self._dice = Random(seed)
        self._clips = cycle(speaker.clips)
        self._next_clip = next(self._clips)

    async def run(self) -> None:
        """Take part until the room is over or the participant's connection has ended for good."""
        p = self.participant
        await prepare(self._next_clip)
        async with asyncio.TaskGroup() as group:
            while p.ended is None and not (p.view is not None and p.view.closed_at is not None):
                if p.connected and p.view is not None and not p.frozen:
                    acts, self.mind = next_acts(p.view, time.time(), self._person, self.mind, self._dice)
                    for act in acts:
                        group.create_task(self._perform(act))
                with contextlib.suppress(TimeoutError):
                    await p.until(lambda p: p.ended is not None, LOOK_SECONDS)
            if p.voice is not None:
                p.voice.hush()
        await asyncio.sleep(LINGER_SECONDS if p.ended is None else 0)

    async def _perform(self, act: Act) -> None:
        try:
            match act:
                case Say():
                    await self._speak(act.clips)
                case Drop(frozen=True):
                    await self.participant.freeze(act.seconds)
                case Drop():
                    await self.participant.drop(act.seconds)
                case _:
                    await self.participant.do(act)
        except ParleyError as error:
            self.refused[error.code] += 1

    async def _speak(self, clips: int) -> None:
        try:
            for number in range(clips):
                if number and not self._may_go_on():
                    return
                clip, self._next_clip = self._next_clip, next(self._clips)
                spoken = await self.participant.say(clip)
                if spoken is None:
                    return
                await prepare(self._next_clip)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(clip.seconds + 5):
                        await spoken.finished.wait()
                await asyncio.sleep(BREATH_SECONDS)
        except InvalidInput:
            return
        finally:
            self.mind = replace(self.mind, speaking=False)

    def _may_go_on(self) -> bool:
        """Tell whether to go on after a breath: not when somebody else has begun, or has the floor, or the talk is over."""
        view = self.participant.view
        if view is None or not any(stage.progress == "now" and stage.kind == "discussion" for stage in view.agenda):
            return False
        me = self.participant.participant_id
        return not any(p != me for p in view.speaking) and (view.turn is None or view.turn.participant_id == me)
