"""
Encoders by name.

What a ledger promises (ledger), how a server is reached (reaching), how a file is fetched and held to its promise
(fetching), and what of it lies on this disk (holdings).
"""
