"""Registration networks, one per file, under one interface."""
