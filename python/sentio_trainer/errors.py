"""Errors that a user can cause or must hear about: one line each, and the exit code of the command line."""


class SentioError(Exception):
    """The run failed. The text is one line: where, what is wrong, what would be right."""

    exit_code = 1


class ConfigError(SentioError):
    """The command or the configuration is wrong."""

    exit_code = 2


class DataError(SentioError):
    """The bars or the feature spec are wrong, or do not suffice for what was asked."""

    exit_code = 3


class ArtifactError(SentioError):
    """The artifact is wrong, or may not be written."""

    exit_code = 4


class StoppedError(SentioError):
    """A person or the system asked the run to stop, and it did. The text says how to go on."""

    exit_code = 130
