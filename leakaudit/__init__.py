"""leakaudit: what a trained vision model still gives away about a private attribute."""

__version__ = "0.1.0"
