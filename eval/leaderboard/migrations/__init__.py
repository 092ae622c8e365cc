"""How the database came to be as `eval.leaderboard.models` describes it, step by step."""
