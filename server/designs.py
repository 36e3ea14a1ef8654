"""Reads design files, with one clear sentence for whatever is wrong with one."""

from __future__ import annotations

from pathlib import Path

from deliberation.design import Design, parse_design
from deliberation.errors import InvalidInput, NotFound
from facilitator import prompts


def checked(source: str | bytes) -> Design:
    """Return the design in a text, when everything that it names is there. Raises `InvalidInput`."""
    design = parse_design(source)
    prompts.check(design)
    return design


def read_design(path: Path) -> Design:
    """Return the design in a file. Raises `NotFound` or `InvalidInput`, whose message names the file and the mistake."""
    try:
        return checked(path.read_bytes())
    except FileNotFoundError:
        raise NotFound("no_design", f"There is no file {path}.") from None
    except OSError as error:
        raise InvalidInput("design_unreadable", f"Cannot read {path}: {error.strerror}.") from None
    except InvalidInput as error:
        raise InvalidInput(error.code, f"{path}: {error.message}", error.hint) from None
