"""Offers, as browsers make them and as nobody should; answers, as browsers read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.errors import InvalidInput
from server.media.negotiation import MAX_OFFER_BYTES, Offer, SlotSource, Transport, build_answer, parse_offer
from server.media.rtp import ExtensionIds

OFFERS = sorted((Path(__file__).parent / "offers").glob("*.sdp"))
CHROMIUM = (Path(__file__).parent / "offers" / "chromium.sdp").read_text()
TRANSPORT = Transport("ufrag", "p" * 24, (("sha-256", "AA:" * 31 + "AA"),), ("1 1 udp 1 127.0.0.1 9 typ host",))


def answer(offer: Offer, **options: bool) -> SessionDescription:
    slots = {
        line.mid: SlotSource(1000 + 2 * i, 1001 + 2 * i if kind == "video" else None, f"slot{i}")
        for kind in ("audio", "video")
        for i, line in enumerate(offer.receiving(kind))  # type: ignore[arg-type]
    }
    return SessionDescription.parse(build_answer(offer, TRANSPORT, slots, 1, **options))


@pytest.mark.parametrize("path", OFFERS, ids=lambda p: p.stem)
def test_a_browsers_offer_is_read_and_answered_line_by_line(path: Path) -> None:
    text = path.read_text()
    offer = parse_offer(text)
    audio, video = offer.publishing("audio"), offer.publishing("video")
    assert audio is not None and video is not None
    assert video.ssrc is not None and video.codec is not None and video.codec.rtx_payload_type is not None
    assert len(offer.receiving("audio")) == len(offer.receiving("video")) == 2
    assert 0 not in (offer.extensions.mid, offer.extensions.audio_level, offer.extensions.transport_cc)
    answered = answer(offer)
    offered = SessionDescription.parse(text)
    assert [(m.kind, m.rtp.muxId) for m in answered.media] == [(m.kind, m.rtp.muxId) for m in offered.media]
    assert [m.direction for m in answered.media] == ["recvonly"] * 2 + ["sendonly"] * 4
    for ours, theirs in zip(answered.media, offered.media, strict=True):
        known = {c.payloadType: c for c in theirs.rtp.codecs}
        for codec in ours.rtp.codecs:
            assert known[codec.payloadType].mimeType.lower() == codec.mimeType.lower()
            feedback = {(f.type, f.parameter) for f in known[codec.payloadType].rtcpFeedback}
            assert {(f.type, f.parameter) for f in codec.rtcpFeedback} <= feedback
        assert {c.mimeType.lower() for c in ours.rtp.codecs} <= {"audio/opus", "video/vp8", "video/rtx"}
        ids = {(x.id, x.uri) for x in theirs.rtp.headerExtensions}
        assert {(x.id, x.uri) for x in ours.rtp.headerExtensions} <= ids
        assert ours.dtls is not None and ours.dtls.role == "server"
        assert ours.rtcp_mux and ours.ice.usernameFragment == "ufrag"
    cameras = [m.msid.split()[0] for m in answered.media if m.direction == "sendonly" and m.msid]
    assert cameras == ["slot0", "slot0", "slot1", "slot1"]


def test_congestion_control_is_the_publishers_own_upstream_and_the_subscribers_estimate_downstream() -> None:
    answered = answer(parse_offer(CHROMIUM))
    feedback = [{f.type for c in m.rtp.codecs for f in c.rtcpFeedback} for m in answered.media]
    assert "transport-cc" in feedback[1] and "goog-remb" not in feedback[1]
    assert "transport-cc" not in feedback[3] and "goog-remb" in feedback[3]


def test_a_publisher_without_transport_cc_is_told_a_bit_rate() -> None:
    text = "\n".join(line for line in CHROMIUM.splitlines() if "transport-" not in line)
    answered = answer(parse_offer(text))
    feedback = {f.type for c in answered.media[1].rtp.codecs for f in c.rtcpFeedback}
    assert "goog-remb" in feedback and "transport-cc" not in feedback


def test_lines_without_a_use_are_answered_inactive_and_data_channels_refused() -> None:
    text = CHROMIUM.replace("a=sendonly", "a=inactive", 1)
    text += "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:data\r\na=sctp-port:5000\r\n"
    out = build_answer(parse_offer(text), TRANSPORT, {}, 1)
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel" in out
    bundle = re.search(r"a=group:BUNDLE (.*)\r", out)
    assert bundle is not None and "data" not in bundle[1].split()
    assert out.count("a=inactive") == 1 + 4 + 1


def test_silence_suppression_is_asked_for_where_configured() -> None:
    offer = parse_offer(CHROMIUM)
    assert "usedtx=1" in build_answer(offer, TRANSPORT, {}, 1, opus_dtx=True)
    assert "usedtx" not in build_answer(offer, TRANSPORT, {}, 1)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda t: "", "media.offer"),
        (lambda t: "v=0\r\n", "media.offer"),
        (lambda t: t + "a=x:" + "y" * MAX_OFFER_BYTES, "media.offer"),
        (lambda t: re.sub(r"a=ice-pwd:.*", "", t), "media.offer"),
        (lambda t: re.sub(r"a=ice-ufrag:.*", "a=ice-ufrag:a b", t), "media.offer"),
        (lambda t: re.sub(r"a=fingerprint:.*", "", t), "media.offer"),
        (lambda t: t.replace("a=setup:actpass", "a=setup:passive"), "media.offer"),
        (lambda t: t.replace("a=mid:1", "a=mid:0"), "media.offer"),
        (lambda t: t.replace("a=rtcp-mux", ""), "media.offer"),
        (lambda t: t.replace("a=extmap:", "a=extmap:x"), "media.offer"),
        (lambda t: t.replace("m=video", "m=smellovision"), "media.offer"),
        (lambda t: t + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtcp-mux\r\na=inactive\r\n" * 80, "media.offer"),
        (lambda t: t.replace("VP8/90000", "VP9/90000"), "media.codec"),
        (lambda t: t.replace("opus/48000/2", "speex/16000"), "media.codec"),
    ],
)
def test_offers_that_cannot_be_used_are_refused_by_code(change: object, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_offer(change(CHROMIUM))  # type: ignore[operator]
    assert refused.value.code == code and refused.value.hint


@given(
    st.lists(
        st.tuples(
            st.integers(0, 554), st.sampled_from(["drop", "double", "cut", "swap", "noise"]), st.text(max_size=12)
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_damaged_offers_are_read_or_refused_but_never_break(damages: list[tuple[int, str, str]]) -> None:
    lines = CHROMIUM.splitlines()
    for place, how, noise in damages:
        at = place % len(lines)
        if how == "drop":
            del lines[at]
        elif how == "double":
            lines.insert(at, lines[at])
        elif how == "cut":
            lines[at] = lines[at][: len(noise)]
        elif how == "swap":
            lines[at], lines[0] = lines[0], lines[at]
        else:
            lines[at] += noise
    try:
        offer = parse_offer("\r\n".join(lines))
    except InvalidInput:
        return
    build_answer(offer, TRANSPORT, {}, 1)


@given(st.text(max_size=300))
def test_text_that_is_no_sdp_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_offer(text)


def test_ids_of_extensions_hold_for_all_lines() -> None:
    assert parse_offer(CHROMIUM).extensions == ExtensionIds(mid=4, audio_level=1, abs_send_time=2, transport_cc=3)
