"""Every reader of bytes from outside, met with bytes that nobody would write: `python -m tests.fuzz` does it for hours.

`talk` and `files` say what may go wrong and what may not, `__main__` runs one of them under atheris, and
`test_harnesses` a little of each.
"""
