"""Print the JSON Schema of everything that crosses the wire: WebSocket messages, the room's view, event payloads, HTTP bodies.

`npm run generate` (web/scripts/generate.mjs) turns it into web/src/protocol/types.ts. What a page sends is described as it is validated
(defaults are optional), what it receives as it is serialised (everything is present). Never reads or writes a file.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from deliberation.commands import FacilitatorCommand, ParticipantCommand
from deliberation.events import Payload
from deliberation.wire import RoomView
from server.http import models as http
from server.signalling.messages import ClientMessage, RoomCard, ServerMessage

SENT_BODIES = ("JoinRequest", "LinkRequest")


class _Schema(GenerateJsonSchema):
    """Tags are always present, and so is every field that is received; fields have no titles, which would become types."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        inner = field["schema"].get("schema", {})
        tag = inner.get("type") == "literal" and len(inner["expected"]) == 1
        return tag or self.mode == "serialization" or super().field_is_required(field, total)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def http_models() -> dict[str, type[BaseModel]]:
    """Return the public models of the HTTP API by name."""
    return {
        name: value
        for name, value in vars(http).items()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == http.__name__ and name[0] != "_"
    }


def protocol_schema() -> dict[str, Any]:
    """Return one schema whose `$defs` hold every wire type by the name that TypeScript uses."""
    roots: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        ("ClientMessage", "validation", TypeAdapter(ClientMessage)),
        ("ParticipantCommand", "validation", TypeAdapter(ParticipantCommand)),
        ("FacilitatorCommand", "validation", TypeAdapter(FacilitatorCommand)),
        ("ServerMessage", "serialization", TypeAdapter(ServerMessage)),
        ("RoomCard", "serialization", TypeAdapter(RoomCard)),
        ("RoomView", "serialization", TypeAdapter(RoomView)),
        ("EventPayload", "serialization", TypeAdapter(Payload)),
    ]
    for name, model in http_models().items():
        roots.append((name, "validation" if name in SENT_BODIES else "serialization", TypeAdapter(model)))
    named, shared = TypeAdapter.json_schemas(roots, schema_generator=_Schema)
    definitions = dict(shared.get("$defs", {}))
    for (name, _mode), schema in named.items():
        if schema.get("$ref") != f"#/$defs/{name}":
            assert name not in definitions, f"two wire types are called {name}"
            definitions[str(name)] = schema
    return {"title": "Protocol", "type": "object", "additionalProperties": False, "$defs": dict(sorted(definitions.items()))}


if __name__ == "__main__":
    json.dump(protocol_schema(), sys.stdout, indent=1, sort_keys=True)
