"""What a brand can change about posts."""

from dataclasses import dataclass
from datetime import timedelta

from features.documented import documented


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """Limits of a post. Lengths are in Unicode code points."""

    max_text_length: int = documented(10_000)
    max_hashtags: int = 60
    """Different hashtags in one post."""
    max_mentions: int = 60
    """Different people mentioned in one post."""
    max_media: int = documented(10)
    max_alt_length: int = documented(1_000)
    """Of the description of a medium."""
    max_content_warning_length: int = documented(200)
    max_place_name_length: int = documented(100)
    place_decimals: int = 3
    """Decimals of a degree that are kept of a place's coordinates; 3 are about 100 m."""
    max_pinned: int = 3
    """Posts that an author can pin to the profile."""
    max_drafts: int = 100
    """Drafts of an account, scheduled ones included."""
    min_schedule_ahead: timedelta = timedelta(minutes=1)
    """No shorter than twice `scheduling.READ_S`, so that no process finds a draft too late."""
    max_schedule_ahead: timedelta = timedelta(days=366)
    link_refresh_after: timedelta = timedelta(days=7)
    """Age from which what was fetched of a page is fetched again for another post that links to it."""
    max_poll_options: int = documented(4)
    max_poll_option_length: int = documented(100)
    min_poll_duration: timedelta = documented(timedelta(minutes=5))
    max_poll_duration: timedelta = documented(timedelta(days=30))
    min_voters_shown: int = 3
    """Voters below whose number a poll's results are not shown, and by whose number they go on while it is open."""
    hashtag_days: int = documented(30)
    """Number of days that `GET /hashtags/{tag}` returns."""
