"""HTTP: a URL table, JSON handlers, links and downloads."""
