"""The simulated partner of the practice room: greets, listens, answers, and moves on when the person does.

Owns one participant that the server has made (marked as simulated). Started by the server as `python -m simulation.partner` with
`PARLEY_PARTNER_URL` and `PARLEY_PARTNER_TOKEN` in its environment; ends with the room, or when the person has been away for a while.
What to do is decided by `partner_acts`, which is pure.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deliberation.commands import CastVote, ParticipantCommand, PostChat, Ready
from deliberation.errors import ParleyError
from deliberation.wire import RoomView
from simulation.client import Participant
from simulation.speech import Clip, load_library

LOOK_SECONDS = 0.4
PAUSE_SECONDS = 1.2  # of silence before it answers
ALONE_SECONDS = 90.0
VOICE = "Amara"
GREETING = (
    "Hello! I am a simulated partner, so that you can try everything out. Say something and I will answer in a moment; write here, raise"
    " your hand, vote: nothing in this practice room counts."
)
COMMON = frozenset(
    [
        "the",
        "and",
        "that",
        "for",
        "with",
        "this",
        "have",
        "are",
        "was",
        "you",
        "but",
        "not",
        "they",
        "from",
        "what",
        "there",
        "would",
        "should",
        "could",
        "about",
        "it",
        "is",
        "to",
        "of",
        "a",
        "in",
        "on",
        "i",
    ]
)


@dataclass(frozen=True, slots=True)
class Listening:
    """What the partner remembers. `heard_at`: when the person last spoke or wrote; `answered`: up to when it has answered."""

    greeted: bool = False
    quiet_since: float | None = None
    answered: float = 0.0
    said: frozenset[str] = frozenset()
    alone_since: float | None = None
    over: bool = False


def partner_acts(
    view: RoomView, now: float, clips: Sequence[Clip], mind: Listening
) -> tuple[list[ParticipantCommand | Clip], Listening]:
    """Return what to do now (a clip is to be spoken) and the memory afterwards."""
    me = view.me.participant_id
    people = [m for m in view.members.values() if m.participant_id != me and not m.simulated]
    if not any(m.presence == "here" for m in people):
        since = mind.alone_since or now
        return [], replace(mind, alone_since=since, over=view.closed_at is not None or now - since > ALONE_SECONDS)
    mind = replace(mind, alone_since=None, over=view.closed_at is not None)
    if mind.over or view.stage is None:
        return [], mind
    acts: list[ParticipantCommand | Clip] = []
    others = {m.participant_id for m in people}
    if not mind.greeted:
        clip = clips[0]
        return [PostChat(text=GREETING), clip], replace(
            mind, greeted=True, answered=now, said=frozenset({clip.clip_id})
        )
    if others & set(view.stage.ready) and me not in view.stage.ready:
        acts.append(Ready())
    acts += [
        CastVote(statement_id=s.statement_id, value=1) for s in view.statements.values() if s.open and s.my_vote is None
    ]
    quiet_since = None if view.speaking else mind.quiet_since or now
    mind = replace(mind, quiet_since=quiet_since)
    heard = [(u.ended_at, u.text) for u in view.utterances.values() if u.participant_id in others]
    heard += [(c.at, c.text) for c in view.chat.values() if c.participant_id in others]
    new = [text for at, text in heard if at > mind.answered]
    if new and quiet_since is not None and now - quiet_since >= PAUSE_SECONDS:
        clip = nearest(" ".join(new), clips, mind.said)
        acts.append(clip)
        said = mind.said | {clip.clip_id} if len(mind.said) < len(clips) - 1 else frozenset({clip.clip_id})
        mind = replace(mind, answered=max(at for at, _ in heard), said=said)
    return acts, mind


def nearest(text: str, clips: Sequence[Clip], said: frozenset[str]) -> Clip:
    """Return the clip, among those not yet said, that shares most words with a text; the first of equals."""
    words = _words(text)
    return max((c for c in clips if c.clip_id not in said), key=lambda c: len(_words(c.text) & words), default=clips[0])


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - COMMON


async def accompany(server: str, token: str, speech_dir: Path | None = None) -> None:
    """Be the partner of one practice room until it is over. Raises `ParleyError` where there is no speech."""
    library = await asyncio.to_thread(load_library, speech_dir)
    clips = next((s.clips for s in library if s.name == VOICE), library[0].clips)
    mind = Listening()
    async with Participant(server, token, hue=0.33) as participant:
        while participant.ended is None and not mind.over:
            ready = participant.connected and participant.media is not None and participant.media.state == "connected"
            if participant.view is not None and ready and not (participant.voice and participant.voice.speaking):
                acts, mind = partner_acts(participant.view, time.time(), clips, mind)
                for act in acts:
                    with contextlib.suppress(ParleyError):
                        await (participant.say(act) if isinstance(act, Clip) else participant.do(act))
            elif participant.view is not None and participant.view.closed_at is not None:
                return
            with contextlib.suppress(TimeoutError):
                await participant.until(lambda p: p.ended is not None, LOOK_SECONDS)


async def _as_child(server: str, token: str) -> None:
    """Accompany; end early when the standard input, a pipe that the server holds, closes."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as group:
        work = group.create_task(accompany(server, token))
        orphaned = group.create_task(reader.read())
        await asyncio.wait({work, orphaned}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        orphaned.cancel()


def main() -> int:
    """Accompany the person whose practice room the environment names."""
    try:
        server, token = os.environ["PARLEY_PARTNER_URL"], os.environ["PARLEY_PARTNER_TOKEN"]
        asyncio.run(_as_child(server, token) if os.environ.get("PARLEY_CHILD") == "1" else accompany(server, token))
    except ExceptionGroup as group:
        print("; ".join(str(error) for error in group.exceptions), file=sys.stderr)
        return 1
    except KeyError as error:
        print(f"{error.args[0]} is not set; the server starts this process by itself.", file=sys.stderr)
        return 2
    except ParleyError as error:
        print(error.message, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
