"""Every private name of aiortc, aioice and pylibsrtp that `aiortc_compat` relies on; an upgrade that changes one fails here, by name."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version

import pytest
from aioice import Candidate, ice
from aiortc import rtcdtlstransport
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

from server.media import aiortc_compat as compat
from server.media import srtp
from server.media.datagrams import new_buffer, new_length


def test_versions_are_the_pinned_ones() -> None:
    assert (version("aiortc"), version("aioice"), version("pylibsrtp").split(".")[0]) == ("1.16.0", "0.13.0", "1")


@pytest.mark.parametrize(
    "name",
    [
        "_ports", "_protocols", "_local_candidates", "_local_candidates_start", "_local_candidates_end", "_nominated", "_queue",
    ],
)  # fmt: skip
async def test_the_ice_agent_has_the_attributes_we_set(name: str) -> None:
    agent = compat.IceAgent(
        [], stun_server=None, turn=None, gather_seconds=1, on_address=print, on_path=print, on_relayed=print
    )
    assert hasattr(agent, name)
    await agent.close()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("check_incoming", ["self", "message", "addr", "protocol"]),
        ("check_complete", ["self", "pair"]),
        ("data_received", ["self", "data", "component"]),
        ("gather_candidates", ["self"]),
        ("get_component_candidates", ["self", "component", "addresses", "timeout"]),
    ],
)
def test_the_ice_agent_calls_the_methods_we_override(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(ice.Connection, name)).parameters) == parameters
    source = inspect.getsource(ice)
    assert source.count(f".{name}(") + (name == "gather_candidates") >= 1


def test_the_stun_protocol_takes_datagrams_and_knows_its_transactions() -> None:
    assert list(inspect.signature(ice.StunProtocol.datagram_received).parameters) == ["self", "data", "addr"]
    assert "self.transactions[request.transaction_id] = transaction" in inspect.getsource(ice.StunProtocol.request)
    assert "self.receiver.protocol_lost(self)" in inspect.getsource(ice.StunProtocol.connection_lost)


def test_the_dtls_transport_uses_its_ice_transport_only_as_we_stand_in_for_it() -> None:
    source = inspect.getsource(rtcdtlstransport.RTCDtlsTransport)
    assert set(re.findall(r"self\.transport\.(\w+)", source)) == {"role", "_recv", "_send"}


def test_the_dtls_transport_leaves_its_keys_where_we_look() -> None:
    source = inspect.getsource(rtcdtlstransport.RTCDtlsTransport._setup_srtp)
    assert "self._rx_srtp = Session(rx_policy)" in source and "self._tx_srtp = Session(tx_policy)" in source
    assert "tx_policy.allow_repeat_tx = True" in source, "packets are sent again under their own number"
    assert "get_selected_srtp_profile" in source


def test_gcm_comes_first_in_what_we_accept() -> None:
    names = [p.openssl_profile for p in rtcdtlstransport.SRTP_PROFILES]
    assert names[:2] == [b"SRTP_AEAD_AES_256_GCM", b"SRTP_AEAD_AES_128_GCM"]


def test_raw_srtp_works_in_place_on_our_buffers() -> None:
    key = bytes(44)
    sessions = [
        Session(Policy(key=key, ssrc_type=kind, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_256_GCM))
        for kind in (Policy.SSRC_ANY_OUTBOUND, Policy.SSRC_ANY_INBOUND)
    ]
    packet = b"\x80\x60\x00\x01" + bytes(8) + b"hello"
    buffer, view, _ = new_buffer(packet)
    length = new_length()
    length[0] = len(packet)
    assert srtp.protect(srtp.context_of(sessions[0]).c, buffer, length) == 0
    assert length[0] == len(packet) + 16 and bytes(view[12:17]) != b"hello"
    assert srtp.unprotect(srtp.context_of(sessions[1]).c, buffer, length) == 0
    assert bytes(view[: length[0]]) == packet
    length[0] = len(packet)
    assert srtp.unprotect(srtp.context_of(sessions[1]).c, buffer, length) != 0
    assert ffi.sizeof(buffer) == 2048 and lib.srtp_err_status_ok == 0


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host", True),
        ("1 1 UDP 2122260223 2001:db8::1 50000 typ srflx raddr 0.0.0.0 rport 9", True),
        ("1 1 udp 2122260223 4f1e.local 50000 typ host", False),
        ("1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active", False),
        ("1 2 udp 2122260223 192.0.2.7 50000 typ host", False),
        ("1 1 udp 2122260223 192.0.2.7 0 typ host", False),
        ("", False),
        ("a b c d e f g h", False),
    ],
)
def test_candidates_that_are_of_no_use_to_a_server_are_passed_over(text: str, usable: bool) -> None:
    assert isinstance(compat.parse_candidate(text), Candidate) == usable


def test_turn_servers_are_given_as_urls() -> None:
    assert compat.turn_arguments("turn:relay.example:3479?transport=tcp", "u", "c") == {
        "turn_server": ("relay.example", 3479), "turn_ssl": False, "turn_transport": "tcp", "turn_username": "u",
        "turn_password": "c",
    }  # fmt: skip
