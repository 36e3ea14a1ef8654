"""The WebSocket protocol between pages (or bots) and the server; see PROTOCOL.md."""
