"""Scores how easy a password is to guess, at a bounded cost."""

from __future__ import annotations

from typing import Final

from zxcvbn.matching import (
    L33T_TABLE,
    RANKED_DICTIONARIES,
    build_ranked_dict,
    omnimatch,
    relevant_l33t_subtable,
)
from zxcvbn.scoring import most_guessable_match_sequence
from zxcvbn.time_estimates import guesses_to_score

LONGEST: Final = 72
"""Characters that are scored."""
BUDGET: Final = 16 * LONGEST**2
"""Parts of a password that are looked up, times the ways to read its symbols as letters."""


def score(password: str, known_words: list[str]) -> int:
    """Returns zxcvbn's score, from 0 (guessed at once) to 4. `known_words` are easy to guess in
    this password only: `zxcvbn.zxcvbn` shares them with every other thread of the process."""
    scored = affordable(password)
    if not scored:
        return 0
    dictionaries = {**RANKED_DICTIONARIES, "user_inputs": build_ranked_dict(known_words)}
    matches = omnimatch(scored, dictionaries)
    return int(guesses_to_score(most_guessable_match_sequence(scored, matches)["guesses"]))


def affordable(password: str) -> str:
    """Returns as much of the beginning as the budget pays for. 25 different symbols that stand for
    letters can be read in hundreds of ways, and each costs a pass over all parts of the password."""
    scored = password[:LONGEST]
    while cost(scored) > BUDGET:
        scored = scored[:-1]
    return scored


def cost(password: str) -> int:
    """Each letter is read from one of its symbols; a symbol of two letters is tried as both."""
    readings, seen = 1, set[str]()
    for symbols in relevant_l33t_subtable(password, L33T_TABLE).values():
        readings *= sum(2 if symbol in seen else 1 for symbol in symbols)
        seen.update(symbols)
    return readings * len(password) ** 2
