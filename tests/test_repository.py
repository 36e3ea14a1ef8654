"""What holds for the repository as a whole: nothing machine-made or machine-bound in it, and documents that are true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from server.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / "simulation" / "speech"
MANIFEST: dict[str, Any] = json.loads((SPEECH / "manifest.json").read_text("utf-8"))
CLIPS: list[dict[str, Any]] = MANIFEST["clips"]


def repository_files() -> list[Path]:
    """All files that are in the repository or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for path in (ROOT / name for name in listing.split("\0") if name) if path.is_file())


FILES = repository_files()
DOCUMENTS = [path for path in FILES if path.suffix == ".md" and "prompts" not in path.parts]
LOCKS = [path for path in FILES if path.name.endswith(".lock")]


def text_of(path: Path) -> str | None:
    """The file's text, or None for a binary one."""
    data = path.read_bytes()
    return None if b"\0" in data[:8192] else data.decode("utf-8")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_locks_name_no_index() -> None:
    assert len(LOCKS) >= 6
    for path in LOCKS:
        assert not re.search(r"https?://|index-url|find-links", path.read_text("utf-8")), relative(path)


def test_the_web_clients_lock_names_no_registry() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text("utf-8"))
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert not name or package.get("link") or "integrity" in package, f"{name} has no hash"


def test_no_file_is_bound_to_a_machine() -> None:
    folders = "|".join(["work", "root", "home/[a-z]+", "Users/[A-Za-z]+"])
    bound = re.compile(rf"(?<![\w.~)}}\]-])/({folders})/")
    found = [
        f"{relative(path)}: {match[0]}"
        for path in FILES
        if path.suffix != ".lock" and (text := text_of(path)) is not None and (match := bound.search(text))
    ]
    assert found == []


def test_no_file_is_large() -> None:
    large = [relative(path) for path in FILES if path.stat().st_size > 1_000_000]
    assert large == []


def test_no_key_is_in_the_repository() -> None:
    key = re.compile(r"-----BEGIN [A-Z ]*PRIVATE " + r"KEY-----|\bsk-[A-Za-z0-9]{32,}")
    assert [relative(path) for path in FILES if (text := text_of(path)) is not None and key.search(text)] == []


def test_the_licence_is_the_one_the_package_names() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_changelog_keeps_its_form() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])


# ---- documents


def commands_in(text: str) -> set[str]:
    """Every command line that a document shows: lines of its code blocks, and its code spans."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return {line for line in lines + spans if line}


def test_documents_name_only_targets_that_can_be_made() -> None:
    shown = {relative(path): commands_in(path.read_text("utf-8")) for path in DOCUMENTS}
    for document, commands in shown.items():
        named = {match[1] for command in commands if (match := re.match(r"make ([a-z]+)\b", command))}
        assert named <= make_targets(), document
    assert {"make run", "make demo"} <= {command.split(" #")[0].strip() for command in shown["README.md"]}


def test_documents_name_only_commands_that_parley_has() -> None:
    usage = subprocess.run([sys.executable, "-m", "server", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    known = set(re.findall(r"[a-z]+", usage.stdout))
    for path in DOCUMENTS:
        commands = commands_in(path.read_text("utf-8"))
        named = {match[1] for command in commands if (match := re.match(r"(?:\.venv/bin/)?parley ([a-z]+)\b", command))}
        assert named <= known, relative(path)


def test_the_operators_page_lists_every_setting() -> None:
    page = (ROOT / "docs" / "operator.md").read_text("utf-8")
    variables = {f"PARLEY_{name}".upper() for name in Settings.model_fields}
    assert variables - set(re.findall(r"PARLEY_[A-Z_]+", page)) == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_inside_the_repository_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", text):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file) if file else path
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, target


# ---- the recorded discussion


def test_every_recording_is_described_and_every_description_has_its_recording() -> None:
    assert {clip["file"] for clip in CLIPS} == {path.name for path in SPEECH.glob("*.flac")}
    assert [clip["turn"] for clip in CLIPS] == list(range(1, len(CLIPS) + 1))
    assert MANIFEST["licence"] and MANIFEST["source"]


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: str(clip["file"]))
def test_a_recording_is_as_described(clip: dict[str, Any]) -> None:
    with av.open(str(SPEECH / clip["file"])) as container:
        stream = container.streams.audio[0]
        assert stream.rate == MANIFEST["sample_rate_hz"]
        assert stream.layout.name == "mono"
        assert stream.duration is not None and stream.time_base is not None
        seconds = stream.duration * Fraction(stream.time_base)
    assert float(seconds) == pytest.approx(clip["seconds"], abs=0.02)
    assert 8 <= clip["seconds"] <= 20
    words_per_second = len(clip["text"].split()) / clip["seconds"]
    assert 2 <= words_per_second <= 4, "the text and the recording differ in length"


def test_the_discussion_has_a_dominant_a_shy_and_several_other_voices() -> None:
    speakers = {speaker["name"]: speaker for speaker in MANIFEST["speakers"]}
    turns = {name: sum(clip["speaker"] == name for clip in CLIPS) for name in speakers}
    assert sum(turns.values()) == len(CLIPS)
    assert len({speaker["voice"] for speaker in speakers.values()}) == len(speakers) == 6
    by_habit: dict[str, list[int]] = {}
    for name, speaker in speakers.items():
        by_habit.setdefault(speaker["habit"], []).append(turns[name])
    assert min(by_habit["dominant"]) >= 8
    assert max(by_habit["shy"]) <= 2
    assert sum(count >= 4 for count in turns.values()) >= 4


def test_the_recordings_stay_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in SPEECH.iterdir()) < 6_000_000
