"""What the end-to-end tests share: playwright, a folder for screenshots, designs that run in a minute."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Playwright, async_playwright

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "screenshots"

pytestmark = pytest.mark.e2e


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest_asyncio.fixture
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as running:
        yield running


@pytest.fixture
def shots() -> Path:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    return ARTIFACTS


def write_design(folder: Path, **changes: Any) -> Path:
    """Write a short design; `changes` replace its parts."""
    design: dict[str, Any] = {
        "id": "e2e",
        "title": "How should AI that advises citizens be governed?",
        "question": "How should AI systems that advise citizens on public services be governed?",
        "briefing": [{"title": "Background", "text": "Public offices let AI systems answer questions.\n\nSome answers are wrong."}],
        "groups": {"min_size": 2, "target_size": 4, "max_size": 4, "wait_seconds": 60},
        "stages": [
            {"id": "talk", "kind": "discussion", "title": "Where we stand", "prompt": "Say where you stand.", "minutes": 6},
            {"id": "statements", "kind": "statements", "title": "What we can say together", "minutes": 6,
             "seed_statements": ["Every answer of a public AI adviser should be open to appeal to a human being."]},
            {"id": "closing", "kind": "closing", "title": "Closing", "minutes": 6},
        ],
        "poll": [{"id": "trust", "text": "I would trust an AI system to advise me.", "scale": 5}],
        "privacy": {"mode": "named", "record_audio": True},
        "facilitation": {"time": {"min_stage_seconds": 3}},
        "transcription": {"language": "en"},
    }
    path = folder / "design.yaml"
    path.write_text(yaml.safe_dump({**design, **changes}, sort_keys=False))
    return path
