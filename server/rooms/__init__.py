"""Rooms: one owner task each, the lobby that fills them, and the registry that keeps them."""
