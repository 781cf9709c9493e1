"""What the forms of a verification share: its rows, and its sentences."""

from leakaudit.verification import Check, Verified

SHORT = 16
"""Digits of a hash that are shown."""
CLAIM = (
    "A hash that matches says that an object is the one this audit names. It does not say who wrote the audit: its own "
    "sha256 shows accidents and careless edits, and whoever forges a document can count it anew. What shows a forger "
    "is a hash kept elsewhere, such as in a signed commit."
)


def digits(check: Check) -> str:
    """The hash, shortened; both where they differ, as long as it takes to tell them apart."""
    if check.state != "no longer matches":
        return (check.found or check.recorded)[:SHORT]
    return f"{check.recorded[:SHORT] or 'no hash'} recorded, {check.found[:SHORT] or 'nothing'} found"


def words(check: Check) -> str:
    """Where it lies, and what is to be known of it."""
    return "; ".join(filter(None, (check.where, check.note)))


def versions(made: Verified) -> str:
    """By which versions the audit was made, and whether others are installed."""
    then = ", ".join(f"{each.name} {each.then}" for each in made.versions)
    now = ", ".join(f"{each.name} {each.now or 'not installed'}" for each in made.versions if each.then != each.now)
    when = f" on {made.created}" if made.created else ""
    return f"Made{when} by {then}; here: {now}." if now else f"Made{when} by {then}; the same are installed."
