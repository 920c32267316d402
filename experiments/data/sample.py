"""The sample reviews: composed from our own sentences, so that word order and negation count.

A review takes sides. Its sentences praise or blame outright, by contrast ("granted, the pacing
is deadly, but ..."), or by denying the opposite; some speak for the other side, and many tell what
happens in the film. The same clauses stand in reviews of both kinds, so counting words does not
tell them apart. Of every kind of opinion a quarter is kept from the training part; half of what
the test reviews say is drawn from that quarter.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SENTENCES = Path(__file__).with_name("reviews.toml")

FILES = (SENTENCES, Path(__file__))
"""All that decides what the reviews are."""

SIZES = {"train": 4000, "test": 2000}
"""How many reviews each part has, half of them positive."""

UNSEEN_EVERY = 4
"""Every fourth opinion is kept from the training part."""

NO_OPINIONS = ("plain_sentences", "mixed_sentences")
"""Groups of sentences that take no side; both parts draw on all of them."""

OTHER_SIDE = 0.25
"""The chance that a sentence speaks for the other side, as long as the verdict keeps the lead."""

KINDS = ("clause",) * 6 + ("sentence",) * 5 + ("contrast",) * 5 + ("denial",) * 4
"""How an opinion is put, and how often."""


def reviews(part: str) -> Iterator[tuple[bytes, int]]:
    """The reviews of the part ``train`` or ``test``: UTF-8 text, and 1 for praise, 0 for blame.

    Always the same ones: they depend on the files in :data:`FILES` alone.
    """
    composer = _Composer(part)
    for i in range(SIZES[part]):
        yield composer.review(i % 2).encode(), i % 2


class _Composer:
    """Puts reviews together from the sentences that one part may use."""

    def __init__(self, part: str) -> None:
        self.sentences: dict[str, list[str]] = tomllib.loads(SENTENCES.read_text("utf-8"))
        self.test = part == "test"
        # Of random.Random, only random() is promised to give the same with every Python.
        self.chance: Callable[[], float] = random.Random(f"sample reviews, {part}").random
        self.said: set[tuple[str, int]] = set()

    def review(self, label: int) -> str:
        """A review of the label, of three sentences or more; opinions and others are mixed."""
        self.said.clear()
        length = 3 + int(20 * self.chance() ** 2)
        opinions = self.opinions(label, 2 + int(self.chance() * min(length - 1, 6)))
        others = [self.other() for _ in range(length - len(opinions))]
        order = sorted([0] * len(opinions) + [1] * len(others), key=lambda _: self.chance())
        kinds = (iter(opinions), iter(others))
        return " ".join(next(kinds[kind]) for kind in order)

    def opinions(self, label: int, count: int) -> list[str]:
        """Sentences of which most speak for the label, the last one among them."""
        most = (count - 1) // 2
        sides = [label] * count
        for i in range(count - 1):
            if self.chance() < OTHER_SIDE and sides.count(1 - label) < most:
                sides[i] = 1 - label
        return [self.opinion(side) for side in sides]

    def opinion(self, side: int) -> str:
        """One sentence for a side."""
        mine, theirs = ("praise", "blame") if side else ("blame", "praise")
        kind = self.any(KINDS)
        if kind == "sentence":
            return self.pick(f"{mine}_sentences")
        if kind == "clause":
            return _sentence(self.pick(f"{mine}_clauses") + ".")
        if kind == "denial":
            frame = self.any(self.sentences[f"denials_of_{theirs}"])
            return _sentence(frame.format(clause=self.pick(f"{theirs}_clauses")))
        verdict, concession = self.pick(f"{mine}_clauses"), self.pick(f"{theirs}_clauses")
        frame = self.any(self.sentences["contrasts"])
        return _sentence(frame.format(verdict=verdict, concession=concession))

    def other(self) -> str:
        """A sentence that takes no side."""
        return self.pick("mixed_sentences" if self.chance() < 0.1 else "plain_sentences")

    def pick(self, group: str) -> str:
        """A sentence of a group, about something that this review has not spoken of yet."""
        opinions = group not in NO_OPINIONS
        hidden = opinions and self.test and self.chance() < 0.5
        # The n-th praise and the n-th blame are about the same thing.
        subject = group.removeprefix("praise_").removeprefix("blame_")
        places = [
            place
            for place in range(len(self.sentences[group]))
            if (subject, place) not in self.said
            and (not opinions or (place % UNSEEN_EVERY == UNSEEN_EVERY - 1) == hidden)
        ]
        place = self.any(places)
        self.said.add((subject, place))
        return self.sentences[group][place]

    def any(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[int(self.chance() * len(choices))]


def _sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[0].upper() + text[1:]
