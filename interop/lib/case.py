"""What a case is: a name, a function that plays it, the programs it needs, and a limit of time."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Case:
    """One case. `play` gets a `lab.Lab`, raises `lab.Failed`, and may return a sentence on what was seen."""

    name: str
    title: str
    play: typing.Callable
    needs: tuple
    limit_s: int = 120
