"""What a Python program calls: `leakaudit.audit` and `leakaudit.check`, and what they give."""
