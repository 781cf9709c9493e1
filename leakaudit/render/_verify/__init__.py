"""
Forms of a verification, what `verify` prints. One file is one form, with one function:

    render(made, *, width) -> str
"""
