"""Tests of the feed from Postgres, run on the feed from memory."""

from tests.integration.test_feed import (
    environment,
    test_a_cursor_nobody_handed_out,
    test_a_tie_in_one_direction_shows_in_one_feed,
    test_an_ended_tie_and_a_block_empty_the_feed,
    test_many_authors_of_uneven_habits,
    test_newest_first_own_and_ties_in_pages_that_shift_nothing,
    test_past_the_end_there_is_nothing,
    test_posts_of_one_moment_are_each_shown_once,
    test_the_muted_are_left_out_until_unmuted,
    test_the_short_way_answers_like_the_long_one,
)
from tests.integration.test_privacy_posts import (
    scenario,
    test_a_deleted_list_leaves_its_posts_to_their_author,
    test_an_audience_follows_the_ties_as_they_change,
    test_posts_honour_their_audience,
)

__all__ = [
    "environment",
    "scenario",
    "test_a_cursor_nobody_handed_out",
    "test_a_deleted_list_leaves_its_posts_to_their_author",
    "test_a_tie_in_one_direction_shows_in_one_feed",
    "test_an_audience_follows_the_ties_as_they_change",
    "test_an_ended_tie_and_a_block_empty_the_feed",
    "test_many_authors_of_uneven_habits",
    "test_newest_first_own_and_ties_in_pages_that_shift_nothing",
    "test_past_the_end_there_is_nothing",
    "test_posts_honour_their_audience",
    "test_posts_of_one_moment_are_each_shown_once",
    "test_the_muted_are_left_out_until_unmuted",
    "test_the_short_way_answers_like_the_long_one",
]
