"""Calendar files (RFC 5545) for opening times. Pure: a design and times in, text out. Called by the API."""

from __future__ import annotations

from datetime import UTC, datetime

from deliberation.design import Design

LINE_BYTES = 75  # RFC 5545 section 3.1: longer lines are folded


def calendar_file(design: Design, opens_at: float, now: float) -> str:
    """Return one event, from the opening to the end of the agenda over all rounds. Times are Unix seconds, and UTC in the file.

    It holds no link: calendars are shared more widely than invitations.
    """
    minutes = sum(stage.minutes or 0 for stage in design.agenda) * design.rounds
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Parley//Parley//EN",
        "BEGIN:VEVENT",
        f"UID:{design.id}-{int(opens_at)}@parley",
        f"DTSTAMP:{_moment(now)}",
        f"DTSTART:{_moment(opens_at)}",
        f"DTEND:{_moment(opens_at + 60 * max(minutes, 1))}",
        f"SUMMARY:{_text(design.title)}",
        f"DESCRIPTION:{_text(design.question)}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(_folded(line) + "\r\n" for line in lines)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join(escaped.splitlines())


def _folded(line: str) -> str:
    """Fold between characters, so that no line is longer than 75 bytes."""
    lines, current = [], ""
    for char in line:
        if len((current + char).encode()) > LINE_BYTES:
            lines.append(current)
            current = " "
        current += char
    return "\r\n".join([*lines, current])
