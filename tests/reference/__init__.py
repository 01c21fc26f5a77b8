"""The feature engine once more, in plain Python: a second witness of what docs/numerics.md says.

The rule: this package is written from docs/numerics.md, docs/ops.md and docs/session_ops.md alone. Whoever changes it
reads those pages and not cpp/, and whoever changes the engine leaves it alone: where the two differ in a bit, one of
page, engine and reference is wrong, and only a reference that owes nothing to the engine can tell.

It is made to be read beside the page, not to be fast: floats, the four operations, `math.sqrt` and comparisons, and
no NumPy.
"""
