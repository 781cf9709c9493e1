"""How verify finds what an audit names, and counts its hashes again."""
