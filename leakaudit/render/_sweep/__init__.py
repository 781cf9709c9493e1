"""
Forms of a tally, what `sweep` prints: no path, no time, and the same whatever engine ran the cells.

One file is one form, with one function:

    render(made, *, width) -> str
"""
