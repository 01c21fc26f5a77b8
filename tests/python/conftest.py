"""Settings of the whole suite."""

from hypothesis import settings

# The same examples every time, and no clock: a slow machine is not a failure.
settings.register_profile("sentio", deadline=None, derandomize=True, database=None)
settings.load_profile("sentio")
