"""The base of request bodies, pages, and the bounds that several routers share.

Every string and list of the OpenAPI document has a bound (a test checks it), so that an oversized input is refused by
its length before anything else looks at it. Bounds of input count the raw text: normalisation may shorten it.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.auth.devices import MAX_CHARACTERS as MAX_DEVICE
from features.paging import Page
from features.posts.policy import PostPolicy
from features.posts.text import MAX_TAG_LENGTH
from features.profiles.model import MAX_USERNAME_CHARACTERS
from features.profiles.policy import ProfilePolicy

MAX_PAGE = 100
MAX_CURSOR = 64
MAX_DECOMPOSED = 4
"""Raw characters per character in normal form C (the longest decomposition that features/text.py accepts)."""

Username = Annotated[str, Field(max_length=MAX_USERNAME_CHARACTERS)]
Name = Annotated[str, Field(max_length=ProfilePolicy().max_name_characters)]
PostText = Annotated[str, Field(max_length=PostPolicy().max_text_length)]
ContentWarning = Annotated[str, Field(max_length=PostPolicy().max_content_warning_length)]
AltText = Annotated[str, Field(max_length=PostPolicy().max_alt_length)]
PlaceName = Annotated[str, Field(max_length=PostPolicy().max_place_name_length)]
PollOption = Annotated[str, Field(max_length=PostPolicy().max_poll_option_length)]
Tag = Annotated[str, Field(max_length=MAX_TAG_LENGTH)]
Device = Annotated[str, Field(max_length=MAX_DEVICE)]
NextCursor = Annotated[str, Field(max_length=MAX_CURSOR)]

T = TypeVar("T")
R = TypeVar("R")


class Body(BaseModel):
    """A request body. Refuses unknown members by name, and texts that Postgres cannot store."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        texts = value if isinstance(value, list | tuple | set) else [value]
        for text in texts:
            if not isinstance(text, str):
                continue
            if "\x00" in text:
                raise ValueError("must not contain NUL characters")
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError("must not contain lone surrogates") from None
        return value


class PageModel(BaseModel, Generic[R]):
    """One page of a list. Pass `next_cursor` as `cursor` to get the page after it; null means this was the last."""

    items: list[R] = Field(max_length=MAX_PAGE)
    next_cursor: NextCursor | None = Field(examples=["AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2qq"])


_RENDERED = PageModel[Any]
"""Held here: pydantic forgets what nobody holds, and would build its schema anew for each page."""


def render_page(page: Page[T], render: Callable[[T], R]) -> PageModel[R]:
    """Renders a page of domain values."""
    items: Sequence[R] = [render(item) for item in page.items]
    return _RENDERED(items=list(items), next_cursor=page.next_cursor)
