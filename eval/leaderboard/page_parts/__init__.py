"""The sections of the leaderboard's page, its style and its script, put together by `page.py`."""
