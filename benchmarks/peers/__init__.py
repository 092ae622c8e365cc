"""Well-known registration tools on Regatta's pairs, scored by Regatta's judge."""
