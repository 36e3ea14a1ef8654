"""A result as text to read in a terminal: headings, lists and aligned tables, in the order in which the method reports.

Called by `parley outcomes`. Leaves out what is only read by machines: what has one entry per participant (`rows`), matrices and long lists are
named with their size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deliberation.outcomes.result import Result

MANY = 20  # rows of a table, entries of a list
WIDE = 60  # characters of a table's cell


def as_text(result: Result) -> str:
    """Return a result in lines of text, ending with a newline."""
    seed = f", seed {result.seed}" if result.seed is not None else ""
    lines = [f"{result.method} (version {result.version}{seed}), input {result.input_hash[:12]}"]
    for title, fields in (("made from", result.derived_from), ("parameters", result.parameters)):
        if fields:
            lines.append(f"{title}: " + ", ".join(f"{_name(key)} {_cell(value)}" for key, value in fields.items()))
    return "\n".join([*lines, "", *_fields(result.figures, 0)]) + "\n"


def _fields(fields: Mapping[str, Any], depth: int) -> list[str]:
    pad, lines = "  " * depth, []
    for key, value in fields.items():
        name = _name(key)
        if key == "rows" and isinstance(value, Sequence | Mapping) and not isinstance(value, str):
            lines.append(f"{pad}{name}: {len(value)} entries (in --json)")
        elif not isinstance(value, Mapping | list) or _flat(value):
            lines.append(f"{pad}{name}: {_cell(value)}")
        elif isinstance(value, Mapping):
            lines += [f"{pad}{name}:", *_fields(value, depth + 1)]
        elif all(isinstance(one, Mapping) for one in value):
            lines += [f"{pad}{name}:", *(f"{pad}  {line}" for line in _table(value))]
        else:
            lines.append(f"{pad}{name}: {len(value)} × {len(value[0]) if isinstance(value[0], list) else '…'} figures (in --json)")
    return lines


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = [key for key in dict.fromkeys(key for row in rows for key in row) if key != "rows"]
    cells = [[_name(column) for column in columns], *([_short(row.get(column)) for column in columns] for row in rows[:MANY])]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return [*table, *([f"… and {len(rows) - MANY} more (in --json)"] if len(rows) > MANY else [])]


def _flat(value: Any) -> bool:
    return not value or (isinstance(value, list) and not any(isinstance(one, Mapping | list) for one in value))


def _short(value: Any) -> str:
    text = _cell(value)
    return text if len(text) <= WIDE else text[: WIDE - 1] + "…"


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
        case Mapping():
            return ", ".join(f"{_name(str(key))} {_cell(one)}" for key, one in list(value.items())[:MANY]) or "none"
        case list() | tuple():
            more = f", … and {len(value) - MANY} more" if len(value) > MANY else ""
            return ", ".join(_cell(one) for one in value[:MANY]) + more if value else "none"
    return " ".join(str(value).split())


def _name(key: str) -> str:
    return key.replace("_", " ")
