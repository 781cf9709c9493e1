"""
Forms of a reproduction, a paper's tables beside ours. One file is one form, with one function:

    render(made, *, width) -> str
"""
