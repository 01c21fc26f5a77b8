"""Options that take several words, `--models a b c`, beside the usual `--models a --models b`."""

from collections.abc import Iterator, Sequence, Set
from typing import Any

from typer.core import TyperCommand


class SeveralWordsCommand(TyperCommand):
    """A command without positional arguments, whose repeatable options take all words up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        several = {name for param in self.params if getattr(param, "multiple", False) for name in param.opts}
        return super().parse_args(ctx, list(one_word_each(args, several)))


def one_word_each(words: Sequence[str], several: Set[str]) -> Iterator[str]:
    """`--models a b` as `--models a --models b`, for the options named in `several`.

    A word that begins with a dash is the next option. `--models=a b` is understood too.
    """
    option, words_after = None, 0
    for word in words:
        if word.startswith("-"):
            name, equals, _ = word.partition("=")
            option = name if name in several else None
            words_after = 1 if equals else 0
        elif option is not None:
            words_after += 1
            if words_after > 1:
                yield option
        yield word
