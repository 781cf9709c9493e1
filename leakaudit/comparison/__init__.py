"""How audits are set side by side: differences, ranks, and gates judged, a baseline among them."""
