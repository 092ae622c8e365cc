"""The sections of the leaderboard's page, its style and its script; `page.py` puts them together."""
