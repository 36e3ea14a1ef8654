from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deliberation.errors import NotAllowed, Unavailable
from server.http.auth import Auth, Link, admin_token, bearer
from server.settings import Settings
from server.storage.store import DAY_SECONDS, Store
from tests.server.http.conftest import START, settings_for
from tests.server.storage.logs import design


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/parley.db")
    await opened.create_deliberation(design("trial"), START)
    yield opened
    await opened.close()


async def code_of(auth: Auth, token: str) -> str:
    with pytest.raises(NotAllowed) as refused:
        await auth.verify(token)
    return refused.value.code


async def test_a_link_opens_what_it_was_issued_for_until_it_expires_or_is_revoked(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    auth = await Auth.open(store, settings_for(tmp_path), clock)
    token = await auth.issue("participant", "trial", "p1", days=2)
    link = await auth.verify(token)
    assert (link.role, link.deliberation_id, link.participant_id) == ("participant", "trial", "p1")
    assert link.opens("trial") and not link.opens("other")
    other = await auth.issue("facilitator", "trial")
    await auth.revoke((await auth.verify(other)).link_id)
    assert await code_of(auth, other) == "link_revoked"
    clock.now += 2 * DAY_SECONDS + 1
    assert await code_of(auth, token) == "link_expired"


async def test_a_token_that_was_changed_anywhere_opens_nothing(store: Store, tmp_path: Path) -> None:
    auth = await Auth.open(store, settings_for(tmp_path), Clock())
    token = await auth.issue("researcher", "trial")
    prefix, payload, signature = token.split(".")
    fields = json.loads(base64.urlsafe_b64decode(payload + "=="))
    fields[0] = "facilitator"
    forged = base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).rstrip(b"=").decode()
    for wrong in (
        f"{prefix}.{forged}.{signature}",
        f"{prefix}.{payload}.{signature[:-2]}",
        f"{prefix}.{payload}.",
        f"{prefix}.{payload}",
        f"p2.{payload}.{signature}",
        token + "x" * 3000,
        "p1.é.é",
        "\ud800",
        "the-admi",
        "..",
    ):
        assert await code_of(auth, wrong) == "link_invalid", wrong
    assert await code_of(auth, "") == "link_missing"


async def test_a_link_signed_with_another_key_or_unknown_to_the_store_opens_nothing(store: Store, tmp_path: Path) -> None:
    auth = await Auth.open(store, settings_for(tmp_path), Clock())
    stranger = await Auth.open(store, settings_for(tmp_path, secret_key="another"), Clock())
    assert await code_of(auth, await stranger.issue("facilitator", "trial")) == "link_invalid"
    elsewhere = await Store.open(f"sqlite:///{tmp_path}/other.db")
    await elsewhere.create_deliberation(design("trial"), START)
    same_key = Auth(elsewhere, (await store.secret("link-key")).encode(), "x", 90, Clock())
    assert await code_of(auth, await same_key.issue("facilitator", "trial")) == "link_invalid"
    await elsewhere.close()


async def test_nodes_that_share_a_database_accept_each_others_links(store: Store, tmp_path: Path) -> None:
    one = await Auth.open(store, settings_for(tmp_path), Clock())
    two = await Auth.open(store, settings_for(tmp_path / "two"), Clock())
    assert (await two.verify(await one.issue("facilitator", "trial"))).role == "facilitator"


async def test_a_standing_link_stays_the_same_until_it_is_revoked_or_nearly_over(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    auth = await Auth.open(store, settings_for(tmp_path, link_days=10), clock)
    first = await auth.standing("invitation", "trial")
    assert await auth.standing("invitation", "trial") == first
    await auth.revoke((await auth.verify(first)).link_id)
    second = await auth.standing("invitation", "trial")
    assert second != first
    clock.now += 9.5 * DAY_SECONDS
    assert await auth.standing("invitation", "trial") not in (first, second)


async def test_the_admin_token_comes_from_the_settings_or_is_made_once_and_kept_from_others(
    store: Store, tmp_path: Path
) -> None:
    auth = await Auth.open(store, settings_for(tmp_path), Clock())
    assert await auth.verify("the-admin") == Link("admin", "admin")
    kept = Settings(data_dir=tmp_path / "kept")
    made, fresh = admin_token(kept)
    assert fresh and len(made) >= 32
    assert admin_token(kept) == (made, False)
    assert (tmp_path / "kept" / "admin-token").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["admin-token"]
    (tmp_path / "kept" / "admin-token").write_text("\n")
    with pytest.raises(Unavailable):
        admin_token(kept)  # an empty token would open everything to an empty header


def test_only_bearer_headers_carry_tokens() -> None:
    assert bearer("Bearer abc") == bearer("bearer  abc ") == "abc"
    assert bearer("Basic abc") == bearer(None) == bearer("abc") == ""


def test_an_invitation_has_no_seat() -> None:
    with pytest.raises(NotAllowed):
        _ = Link("k", "invitation", "trial").seat_role
    assert Link("k", "facilitator", "trial").seat_role == "facilitator"
