from __future__ import annotations

from pathlib import Path

from tests.transcription.fakes import work_item
from transcription.outbox import Outbox
from transcription.settings import TranscriptionSettings
from transcription.work import WorkItem


def outbox(spill_dir: Path | None = None, **settings: object) -> Outbox:
    values = {"finals_in_queue": 2, "finals_in_memory": 2, "spill_dir": spill_dir, **settings}
    return Outbox("room", TranscriptionSettings(**values))  # type: ignore[arg-type]


def send_all(box: Outbox, now: float = 0.0) -> list[str]:
    sent: list[str] = []
    while (item := box.next()) is not None:
        box.sent(item, now)
        sent.append(item.item_id)
    return sent


def final(name: str) -> WorkItem:
    return work_item(name, "final", 0.1)


def test_finals_go_before_partials_and_partials_before_refining() -> None:
    box = outbox()
    box.add(work_item("r", "refine", 0.1), 0)
    box.add(work_item("p", "partial", 0.1), 0, "ada")
    box.add(final("f"), 0)
    assert send_all(box) == ["f", "p", "r"]


def test_only_so_many_finals_are_in_the_queue_at_a_time() -> None:
    box = outbox()
    for name in "abcd":
        box.add(final(name), 0)
    assert send_all(box) == ["a", "b"]
    assert box.answered("a")
    assert send_all(box) == ["c"]
    assert box.finals == 3


def test_a_speakers_next_partial_replaces_the_unsent_one() -> None:
    box = outbox()
    box.add(work_item("p1", "partial", 0.1), 0, "ada")
    box.add(work_item("p2", "partial", 0.1), 0, "bob")
    box.add(work_item("p3", "partial", 0.1), 0, "ada")
    assert sorted(send_all(box)) == ["p2", "p3"]


def test_an_answer_counts_once() -> None:
    box = outbox()
    box.add(final("a"), 0)
    send_all(box)
    assert box.answered("a")
    assert not box.answered("a")
    assert box.empty


def test_too_many_finals_wait_on_disk_and_all_come_back_in_order(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    items = [final(f"f{index}") for index in range(8)]
    for item in items:
        box.add(item, 0)
    folder = tmp_path / "room"
    assert box.spilled == len(list(folder.iterdir())) == 6
    got: list[WorkItem] = []
    while (item := box.next()) is not None:
        box.sent(item, 0)
        got.append(item)
        box.answered(item.item_id)
    assert got == items
    assert box.spilled == 0
    assert not list(folder.iterdir())


def test_a_disk_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    box = outbox(blocked)
    for index in range(8):
        box.add(final(f"f{index}"), 0)
    sent: list[str] = []
    while (item := box.next()) is not None:
        box.sent(item, 0)
        box.answered(item.item_id)
        sent.append(item.item_id)
    assert sent == [f"f{index}" for index in range(8)]
    assert box.spilled == 0


def test_what_waits_on_disk_is_deleted_when_the_room_ends_or_takes_it_back(tmp_path: Path) -> None:
    box = outbox(tmp_path)
    for index in range(6):
        box.add(final(f"f{index}"), 0)
    assert not box.take_back("f5")
    assert box.spilled == 3
    box.clear()
    assert not (tmp_path / "room").exists()
    assert box.empty


def test_what_a_killed_process_left_on_disk_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "old.item").write_bytes(b"what somebody said")
    outbox(tmp_path)
    assert not (tmp_path / "room").exists()


def test_an_unanswered_item_is_looked_for_and_sent_again_when_lost() -> None:
    box = outbox(missing_after_seconds=5.0)
    box.add(final("a"), 0)
    send_all(box, now=0)
    assert box.overdue(4) == []
    assert box.overdue(6) == ["a"]
    assert box.overdue(7) == []
    box.send_again("a")
    assert send_all(box, now=7) == ["a"]


def test_the_oldest_final_says_how_late_captions_are() -> None:
    box = outbox()
    assert box.oldest_final_age(5) == 0
    box.add(final("a"), 1)
    box.add(final("b"), 4)
    assert box.oldest_final_age(5) == 4
