"""Previews of links in feeds from memory, where the post has been rendered before its preview was there."""

from tests.integration.test_link_previews import test_a_feed_shows_a_preview_once_it_is_there, web

__all__ = ["test_a_feed_shows_a_preview_once_it_is_there", "web"]
