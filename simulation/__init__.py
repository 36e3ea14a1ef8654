"""Bots that take part in a deliberation over real WebRTC with real speech."""
