"""
Forms of a description, chosen by the names of those of a report. One file is one form, with one function:

    render(made, *, width) -> str
"""
