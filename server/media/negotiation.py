"""SDP: what a peer offers is read, our answer is written (pure).

Owns the subset of RFC 8866, RFC 8829 and RFC 9143 that browsers use with BUNDLE. The offer is untrusted: sizes are bounded and everything
that is not understood is either passed over or refused by `InvalidInput`. Never does I/O. Called by `peer`.

A peer offers once: lines that it sends on make it a publisher (one per kind), every line that it receives on is a slot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from deliberation.errors import InvalidInput
from server.media.model import Kind
from server.media.rtp import MAX_MID, URI_ABS_SEND_TIME, URI_AUDIO_LEVEL, URI_MID, URI_TRANSPORT_CC, ExtensionIds

MAX_OFFER_BYTES = 300_000
MAX_LINES = 64
"""m-lines of one offer."""

_MEDIA = re.compile(r"m=(audio|video|application) (\d{1,5}) (\S+) (.+)")
_ICE = re.compile(r"[A-Za-z0-9+/]{4,256}")
_MID = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,16}")
assert MAX_MID == 16
_CODECS: dict[str, tuple[str, int]] = {"audio": ("opus", 48_000), "video": ("vp8", 90_000)}


@dataclass(frozen=True, slots=True)
class Codec:
    """How the peer numbers the one codec we forward on a line."""

    payload_type: int
    rtx_payload_type: int | None
    feedback: frozenset[str]
    """`nack`, `nack pli`, `ccm fir`, `goog-remb`, `transport-cc`."""


@dataclass(frozen=True, slots=True)
class OfferedLine:
    """One audio or video line; `codec` is None where the line stays unused."""

    mid: str
    kind: Kind | Literal["application"]
    codec: Codec | None
    sends: bool
    receives: bool
    ssrc: int | None
    rtx_ssrc: int | None
    protocol: str
    formats: str
    extensions: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What we need of an offer."""

    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    """(algorithm, value)."""
    lines: tuple[OfferedLine, ...]
    extensions: ExtensionIds
    candidates: tuple[str, ...]
    """Candidate attribute values."""

    def publishing(self, kind: Kind) -> OfferedLine | None:
        """Return the line on which the peer publishes that kind: the first that sends."""
        return next((line for line in self.lines if line.kind == kind and line.sends and line.codec), None)

    def receiving(self, kind: Kind) -> tuple[OfferedLine, ...]:
        """Return the peer's slots of that kind, in the order of the offer."""
        return tuple(line for line in self.lines if line.kind == kind and line.receives and line.codec)


@dataclass(slots=True)
class _Section:
    kind: Kind | Literal["application"]
    port: int
    protocol: str
    formats: list[str]
    mid: str = ""
    direction: str = "sendrecv"
    ufrag: str = ""
    password: str = ""
    mux: bool = False
    setup: str = ""
    names: dict[int, tuple[str, int]] = field(default_factory=dict)
    parameters: dict[int, str] = field(default_factory=dict)
    feedback: dict[str, set[str]] = field(default_factory=dict)
    extensions: list[tuple[int, str]] = field(default_factory=list)
    ssrcs: list[int] = field(default_factory=list)
    retransmits: dict[int, int] = field(default_factory=dict)


def parse_offer(sdp: str) -> Offer:
    """Read an offer.

    Raises:
        InvalidInput: `media.offer` (not a usable offer), `media.codec` (no VP8 or no Opus on a line that is used).
    """
    if len(sdp) > MAX_OFFER_BYTES:
        raise _unusable("it is too long")
    session = _Section("application", 0, "", [])
    sections: list[_Section] = []
    fingerprints: dict[str, str] = {}
    candidates: list[str] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            match = _MEDIA.fullmatch(line.rstrip())
            if match is None or len(sections) == MAX_LINES:
                raise _unusable("an m-line is of an unknown form, or there are too many")
            kind: Kind | Literal["application"] = (
                "audio" if match[1] == "audio" else "video" if match[1] == "video" else "application"
            )
            sections.append(_Section(kind, int(match[2]), match[3], match[4].split()))
        elif line.startswith("a="):
            name, _, value = line[2:].rstrip().partition(":")
            section = sections[-1] if sections else session
            try:
                _attribute(section, name, value)
            except (ValueError, IndexError) as error:
                raise _unusable(f"the attribute {name[:32]!r} is malformed") from error
            if name == "fingerprint":
                algorithm, _, digest = value.partition(" ")
                fingerprints[algorithm.lower()] = digest.strip()
            elif name == "candidate" and len(candidates) < 100:
                candidates.append(value)
    if not sections:
        raise _unusable("it has no m-line")
    first = next((s for s in sections if s.ufrag or session.ufrag), None)
    ufrag = (first.ufrag or session.ufrag) if first else ""
    password = (first.password or session.password) if first else ""
    if not _ICE.fullmatch(ufrag) or not re.fullmatch(r"[A-Za-z0-9+/]{22,256}", password):
        raise _unusable("its ICE user name or password is missing")
    if not fingerprints:
        raise _unusable("it has no DTLS fingerprint")
    if "passive" in (session.setup, *(s.setup for s in sections)):
        raise _unusable("it insists on the passive DTLS role, which is ours")
    lines = tuple(_line(section) for section in sections)
    mids = [line.mid for line in lines]
    if not all(mids) or len(set(mids)) != len(mids):
        raise _unusable("its m-lines have no mid, or two have the same")
    return Offer(ufrag, password, tuple(fingerprints.items()), lines, _extension_ids(lines, session), tuple(candidates))


def offers_to_send(sdp: str) -> bool:
    """Say whether an offer would send anything; no for one that `parse_offer` refuses."""
    try:
        return any(line.sends and line.kind != "application" for line in parse_offer(sdp).lines)
    except InvalidInput:
        return False


def _unusable(why: str) -> InvalidInput:
    return InvalidInput(
        "media.offer",
        f"This connection offer cannot be used: {why}.",
        "Reload the page; if it stays, try another browser.",
    )


def _attribute(section: _Section, name: str, value: str) -> None:
    if name == "mid":
        if not _MID.fullmatch(value):
            raise ValueError("mid")
        section.mid = value
    elif name in ("sendrecv", "sendonly", "recvonly", "inactive"):
        section.direction = name
    elif name == "ice-ufrag":
        section.ufrag = value
    elif name == "ice-pwd":
        section.password = value
    elif name == "rtcp-mux":
        section.mux = True
    elif name == "setup":
        section.setup = value
    elif name == "rtpmap":
        number, description = value.split(" ", 1)
        codec = description.split("/")
        section.names[_payload_type(number)] = (codec[0].lower(), int(codec[1]))
    elif name == "fmtp":
        number, description = value.split(" ", 1)
        section.parameters[_payload_type(number)] = description
    elif name == "rtcp-fb":
        number, description = value.split(" ", 1)
        section.feedback.setdefault(number, set()).add(description.strip())
    elif name == "extmap":
        number, uri = value.split(" ")[:2]
        section.extensions.append((int(number.split("/")[0]), uri))
    elif name == "ssrc":
        ssrc = _ssrc(value.split(" ", 1)[0])
        if ssrc not in section.ssrcs and len(section.ssrcs) < 8:
            section.ssrcs.append(ssrc)
    elif name == "ssrc-group" and value.startswith("FID ") and len(section.retransmits) < 4:
        media, rtx = value.split()[1:3]
        section.retransmits[_ssrc(media)] = _ssrc(rtx)


def _payload_type(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 127:
        raise ValueError("payload type")
    return number


def _ssrc(text: str) -> int:
    number = int(text)
    if not 0 <= number < 1 << 32:
        raise ValueError("SSRC")
    return number


def _line(section: _Section) -> OfferedLine:
    codec = None
    sends = section.direction in ("sendonly", "sendrecv")
    receives = section.direction in ("recvonly", "sendrecv")
    if section.kind != "application":
        if not section.mux:
            raise _unusable("a line does not multiplex RTCP")
        codec = _codec(section)
        if codec is None and (sends or receives):
            name = _CODECS[section.kind][0]
            raise InvalidInput(
                "media.codec",
                f"This room needs {'VP8' if name == 'vp8' else 'Opus'} for {section.kind}, which the offer does not include.",
                "Use a current browser with its default codecs.",
            )
    fid = next(iter(section.retransmits.items()), None)
    ssrc = fid[0] if fid else section.ssrcs[0] if section.ssrcs else None
    return OfferedLine(
        mid=section.mid,
        kind=section.kind,
        codec=codec,
        sends=sends,
        receives=receives,
        ssrc=ssrc if sends else None,
        rtx_ssrc=fid[1] if fid and sends else None,
        protocol=section.protocol,
        formats=section.formats[0] if section.formats else "0",
        extensions=tuple(section.extensions),
    )


def _codec(section: _Section) -> Codec | None:
    wanted = _CODECS[section.kind]
    offered = [int(text) for text in section.formats if text.isdigit()]
    payload_type = next((number for number in offered if section.names.get(number) == wanted), None)
    if payload_type is None:
        return None
    rtx = None
    for number in offered:
        parameters = section.parameters.get(number, "").replace(" ", "").split(";")
        if section.names.get(number, ("", 0))[0] == "rtx" and f"apt={payload_type}" in parameters:
            rtx = number
            break
    feedback = section.feedback.get(str(payload_type), set()) | section.feedback.get("*", set())
    return Codec(payload_type, rtx, frozenset(feedback))


def _extension_ids(lines: Sequence[OfferedLine], session: _Section) -> ExtensionIds:
    # An id means the same on every bundled line (RFC 9143, 9.3), so the first that is named holds for all.
    ids: dict[str, int] = {}
    for number, uri in (*session.extensions, *(pair for line in lines for pair in line.extensions)):
        if 1 <= number <= 14:
            ids.setdefault(uri, number)
    return ExtensionIds(
        mid=ids.get(URI_MID, 0),
        audio_level=ids.get(URI_AUDIO_LEVEL, 0),
        abs_send_time=ids.get(URI_ABS_SEND_TIME, 0),
        transport_cc=ids.get(URI_TRANSPORT_CC, 0),
    )


@dataclass(frozen=True, slots=True)
class SlotSource:
    """Our stream on one of the peer's receiving lines."""

    ssrc: int
    rtx_ssrc: int | None
    stream: str
    """Stream id; audio and video with the same id are played in step."""


@dataclass(frozen=True, slots=True)
class Transport:
    """Our end of the connection, as the answer states it."""

    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]


def uses_transport_cc(offer: Offer) -> bool:
    """Whether the peer's congestion control gets per-packet feedback; otherwise it is told a bit rate."""
    video = offer.publishing("video") or offer.publishing("audio")
    return bool(offer.extensions.transport_cc and video and video.codec and "transport-cc" in video.codec.feedback)


def build_answer(
    offer: Offer, transport: Transport, slots: dict[str, SlotSource], session_id: int, *, opus_dtx: bool = False
) -> str:
    """Write the answer: BUNDLE, `setup:passive`, one codec per line, our SSRCs on the lines in `slots` (by mid)."""
    bundled = [line.mid for line in offer.lines if line.kind != "application"]
    out = [
        "v=0",
        f"o=- {session_id} 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(bundled)}",
        "a=extmap-allow-mixed",
        "a=msid-semantic:WMS *",
    ]
    published = (offer.publishing("audio"), offer.publishing("video"))
    publishing = {line.mid for line in published if line is not None}
    transport_cc = uses_transport_cc(offer)
    first = True
    for line in offer.lines:
        if line.kind == "application":
            out += [
                f"m=application 0 {line.protocol} {line.formats}",
                "c=IN IP4 0.0.0.0",
                f"a=mid:{line.mid}",
                "a=inactive",
            ]
            continue
        out += _answer_line(offer, line, slots.get(line.mid), line.mid in publishing, transport_cc, opus_dtx)
        out += [f"a=ice-ufrag:{transport.ufrag}", f"a=ice-pwd:{transport.password}"]
        out += [f"a=fingerprint:{algorithm} {value}" for algorithm, value in transport.fingerprints]
        out.append("a=setup:passive")
        if first:
            out += [f"a=candidate:{candidate}" for candidate in transport.candidates]
            out.append("a=end-of-candidates")
            first = False
    return "\r\n".join(out) + "\r\n"


def _answer_line(
    offer: Offer, line: OfferedLine, slot: SlotSource | None, publishes: bool, transport_cc: bool, opus_dtx: bool
) -> list[str]:
    codec = line.codec
    if codec is None:
        return [
            f"m={line.kind} 9 {line.protocol} {line.formats}", "c=IN IP4 0.0.0.0", f"a=mid:{line.mid}", "a=inactive",
            "a=rtcp-mux",
        ]  # fmt: skip
    direction = {(True, True): "sendrecv", (True, False): "recvonly", (False, True): "sendonly"}.get(
        (publishes, slot is not None), "inactive"
    )
    formats = [codec.payload_type] + ([codec.rtx_payload_type] if codec.rtx_payload_type is not None else [])
    out = [
        f"m={line.kind} 9 {line.protocol} {' '.join(map(str, formats))}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=mid:{line.mid}",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]
    # Towards us congestion control is the peer's own (transport-cc); from us it is the peer's estimate (REMB, by abs-send-time).
    wanted = {URI_MID}
    if line.kind == "audio":
        wanted.add(URI_AUDIO_LEVEL)
    if publishes and transport_cc:
        wanted.add(URI_TRANSPORT_CC)
    elif line.kind == "video":
        wanted.add(URI_ABS_SEND_TIME)
    out += [f"a=extmap:{number} {uri}" for number, uri in line.extensions if uri in wanted and 1 <= number <= 14]
    if line.kind == "audio":
        out.append(f"a=rtpmap:{codec.payload_type} opus/48000/2")
        fmtp = "minptime=10;useinbandfec=1" + (";usedtx=1" if opus_dtx else "")
        out.append(f"a=fmtp:{codec.payload_type} {fmtp}")
        feedback = {"transport-cc"} if publishes and transport_cc else set()
    else:
        out.append(f"a=rtpmap:{codec.payload_type} VP8/90000")
        if codec.rtx_payload_type is not None:
            out += [
                f"a=rtpmap:{codec.rtx_payload_type} rtx/90000",
                f"a=fmtp:{codec.rtx_payload_type} apt={codec.payload_type}",
            ]
        feedback = {"nack", "nack pli", "ccm fir", "transport-cc" if publishes and transport_cc else "goog-remb"}
    out += [f"a=rtcp-fb:{codec.payload_type} {name}" for name in sorted(feedback & codec.feedback)]
    if slot is not None:
        out.append(f"a=msid:{slot.stream} {slot.stream}-{line.kind}")
        if slot.rtx_ssrc is not None:
            out.append(f"a=ssrc-group:FID {slot.ssrc} {slot.rtx_ssrc}")
        for ssrc in (slot.ssrc, slot.rtx_ssrc):
            if ssrc is not None:
                out.append(f"a=ssrc:{ssrc} cname:{slot.stream}")
    return out
