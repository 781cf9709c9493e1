"""Shared arithmetic on torch, one subject per file. Imports nothing of leakaudit but the ground."""
