"""The Parley server: HTTP, signalling, rooms, media and storage."""
