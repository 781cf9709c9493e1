"""What text for a terminal is made of: its layout, one model, several, and what is said of all of them."""
