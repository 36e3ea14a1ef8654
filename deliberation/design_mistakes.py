"""What is wrong with a design file, in sentences for whoever wrote it: where (field, and line of the YAML) and what would be right.

Called by `design.parse_design`. Never judges a design itself: it words what the models found. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import yaml

SHOWN = 5  # mistakes; with more, the first ones are usually the cause of the others

_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "must be text (in quotes, if it looks like a number, a date, yes or no)",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list: one entry a line, each after a hyphen",
    "list_type": "must be a list: one entry a line, each after a hyphen",
    "dict_type": "must be fields with values, indented under it",
    "model_type": "must be fields with values, indented under it",
    "model_attributes_type": "must be fields with values, indented under it",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be {expected}",
}
_PATTERNS = (
    ("^[a-z0-9]", "may have lower-case letters, digits and hyphens only, and begins with a letter or digit"),
    ("^[a-z]{2}", "must be a language's code of two lower-case letters, such as en"),
    ("^https", "must be a web address that begins with https:// or http://"),
)
_SHOW_VALUE = ("literal_error", "greater_than", "greater_than_equal", "less_than", "less_than_equal", "int_type", "int_parsing",
               "float_type", "float_parsing", "bool_type", "bool_parsing", "int_from_float", "string_pattern_mismatch")  # fmt: skip


def in_words(mistakes: Sequence[Mapping[str, Any]], source: str | bytes | None, fields: Collection[str]) -> str:
    """Return pydantic's errors about a design as sentences. `source` is its YAML, if it was one; `fields` are the names that a design knows."""
    tree = yaml.compose(source, Loader=yaml.SafeLoader) if source is not None else None
    inside = {tuple(item["loc"])[:n] for item in mistakes for n in range(1, len(item["loc"]))}  # a list whose entries are wrong counts as too short as well
    mistakes = [item for item in mistakes if item["type"] != "too_short" or tuple(item["loc"]) not in inside]
    told = [_one(item, tree, fields) for item in mistakes[:SHOWN]]
    if len(mistakes) == 1:
        return f"The design has a mistake: {told[0]}{'' if told[0].endswith('?') else '.'}"
    more = len(mistakes) - len(told)
    return "\n  ".join([f"The design has {len(mistakes)} mistakes:", *(one if one.endswith("?") else f"{one}." for one in told), *([f"And {more} more."] if more else [])])


def _one(item: Mapping[str, Any], tree: yaml.Node | None, fields: Collection[str]) -> str:
    loc: tuple[int | str, ...] = tuple(item["loc"])
    what = _what(item, fields)
    if not loc and ": " in what:  # a rule over several fields names the field itself
        field, _, what = what.partition(": ")
        loc = (field,)
    line = _line(tree, loc)
    where = " → ".join(part if isinstance(part, str) else f"entry {part + 1}" for part in loc)
    return f"{f'line {line}, ' if line else ''}{where}: {what}" if where else what


def _what(item: Mapping[str, Any], fields: Collection[str]) -> str:
    kind, value = str(item["type"]), item.get("input")
    if kind == "extra_forbidden":
        name = str(item["loc"][-1])
        like = get_close_matches(name, fields, n=1, cutoff=0.7)
        return "there is no such field here" + (f"; do you mean “{like[0]}”?" if like and like[0] != name else "")
    if kind == "value_error":
        return str(item["msg"]).removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        pattern = str(item["ctx"]["pattern"])
        words = next((says for start, says in _PATTERNS if pattern.startswith(start)), "is not written as it has to be")
    else:
        context = {key: f"{v:g}" if isinstance(v, float) else v for key, v in item.get("ctx", {}).items()}
        words = _WORDS[kind].format(**context) if kind in _WORDS else str(item["msg"])
    return words + (f", not “{value}”" if kind in _SHOW_VALUE and isinstance(value, str | int | float) else "")


def _line(node: yaml.Node | None, loc: Sequence[int | str]) -> int | None:
    """Return the line (from 1) of the field, or of the innermost field around it that stands in the file."""
    if node is None:
        return None
    line: int | None = None
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
