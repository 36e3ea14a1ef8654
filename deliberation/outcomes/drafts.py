"""Texts that were drafted from statements, as the methods take them in: who writes them is none of a method's business.

A method binds a draft to the statements it rests on and shows their votes beside it; a draft itself has no votes. Written by `facilitator`
(a model, or extraction), handed in among a method's parameters, so that a result can be computed again with the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Draft:
    """One text and the ids of the statements it rests on; `model` and `prompt` say who wrote it where a model did."""

    text: str
    items: tuple[str, ...]
    method: Literal["model", "extraction"] = "extraction"
    model: str = ""
    prompt: str = ""
