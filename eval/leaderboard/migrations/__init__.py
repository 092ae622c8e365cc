"""Changes of the database's schema, up to that of `eval.leaderboard.models`, step by step."""
