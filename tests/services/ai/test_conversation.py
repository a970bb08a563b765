"""Conversations for services that keep instructions apart from the turns of two speakers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from langstream.services.ai.contract import Message
from langstream.services.ai.conversation import Conversation, Turn, conversation_of

ROLES = st.sampled_from([None, "user", "assistant", "system", "developer", "tool", "model"])
MESSAGES = st.lists(st.builds(Message, st.text(min_size=1), ROLES), min_size=1)


@given(MESSAGES)
def test_nothing_is_lost_and_speakers_alternate(messages: list[Message]) -> None:
    found = conversation_of(messages)
    texts = [text for turn in found.turns for text in turn.texts]
    assert sorted([*found.instructions, *texts]) == sorted(message.content for message in messages)
    speakers = [turn.speaker for turn in found.turns]
    assert speakers
    assert all(first != second for first, second in pairwise(speakers))


def test_roles_become_instructions_and_speakers() -> None:
    messages = [Message("a", "system"), Message("b"), Message("c", "tool"), Message("d", "model")]
    turns = (Turn("user", (messages[1], messages[2])), Turn("assistant", (messages[3],)))
    assert conversation_of(messages) == Conversation(("a",), turns)
    assert turns[0].texts == ("b", "c")


def test_instructions_alone_are_a_question() -> None:
    alone = Message("a", "developer")
    assert conversation_of([alone]) == Conversation((), (Turn("user", (alone,)),))
