"""What a function of the library is: its name, how many arguments it takes, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final


class _Varies:
    """Stands for an argument that is not known before evaluation."""


VARIES: Final = _Varies()


@dataclass(frozen=True, slots=True)
class Function:
    """`signature` is what a user reads, such as `fn:trim(x)`. `most` is None for any number of arguments.

    `bind`, if there is one, is called once per expression with the arguments that are literals (`VARIES` for the
    others); it checks them, prepares what can be prepared, and gives the function to call with all arguments.
    """

    signature: str
    call: Callable[..., Any]
    least: int
    most: int | None
    bind: Callable[[tuple[Any, ...]], Callable[..., Any]] | None = None

    @property
    def name(self) -> str:
        """The name without `fn:` and parameters."""
        return self.signature.partition("(")[0].removeprefix("fn:")

    def accepts(self, count: int) -> bool:
        """Whether the function takes so many arguments."""
        return count >= self.least and (self.most is None or count <= self.most)
