"""Topic settings."""

from __future__ import annotations

import pytest

from langstream.errors import TopicError
from langstream.topics.contract import TopicSpec
from langstream.topics.settings import DAY_MS, Cleanup, check_spec, cleanup


def test_settings_become_text_and_null_ones_are_left_out() -> None:
    spec = TopicSpec("topic", 0, {"retention.ms": 5, "preallocate": True, "cleanup.policy": None, "own": " x "})
    assert check_spec(spec) == (1, {"retention.ms": "5", "preallocate": "true", "own": "x"})


def test_nothing_is_removed_by_default() -> None:
    assert cleanup("topic", {}) == Cleanup()


def test_minus_one_is_no_limit() -> None:
    assert cleanup("topic", {"retention.ms": "-1", "retention.bytes": "-1"}) == Cleanup()


def test_limits_apply_where_records_are_deleted() -> None:
    limits = {"retention.ms": "5", "retention.bytes": "6", "delete.retention.ms": "7"}
    assert cleanup("topic", {"cleanup.policy": "compact", **limits}) == Cleanup(compact=True, tombstones_ms=7)
    assert cleanup("topic", {"cleanup.policy": "compact, delete", **limits}) == Cleanup(5, 6, True, 7)
    assert cleanup("topic", limits) == Cleanup(5, 6, False, 7)


def test_tombstones_stay_for_a_day() -> None:
    assert cleanup("topic", {"cleanup.policy": "compact"}).tombstones_ms == DAY_MS


def test_a_wrong_number_names_topic_setting_and_value() -> None:
    with pytest.raises(TopicError, match=r"orders: retention.ms is 'soon'; expected a whole number"):
        check_spec(TopicSpec("orders", 1, {"retention.ms": "soon"}))
