"""Libraries that compute some of the plain 55: one module each, with `columns(bars, names)`.

Each computes the features as its users would write them, with whatever the library shares between them, in double and
in the library's own kind of column; NaN where it has no value yet.
"""
