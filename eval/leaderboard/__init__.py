"""The leaderboard at home: submissions in a database, ranked by the rules of a challenge."""
