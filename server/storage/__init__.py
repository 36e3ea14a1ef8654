"""The database: event logs, personal rows, participants, links; backups and exports of them."""
