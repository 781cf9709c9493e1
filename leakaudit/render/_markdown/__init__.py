"""What Markdown for a pull request is made of: what is read first, and what is folded."""
