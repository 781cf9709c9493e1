"""
Forms of a dossier, what `inspect` prints. One file is one form, with one function:

    render(made, *, width) -> str
"""
