"""The base of request bodies, and pages."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.paging import Page

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

    items: list[R]
    next_cursor: str | None = Field(default=None, examples=["AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2qq"])


def render_page(page: Page[T], render: Callable[[T], R]) -> PageModel[R]:
    """Renders a page of domain values."""
    items: Sequence[R] = [render(item) for item in page.items]
    return PageModel[Any](items=list(items), next_cursor=page.next_cursor)
