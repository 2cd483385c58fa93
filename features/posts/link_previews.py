"""Previews of the pages that posts link to, fetched by consumers after publication.

Which page a post links to is found in batches; only for such posts is there an event, whose consumer fetches the page
(cluster/web.py) unless another post's preview of it is recent. All posts that link to a page get what was fetched last;
a page that cannot be fetched any more leaves them what they have.
The preview is a column of the post, so it is erased with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.logs import logger
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from cluster.web import PageFetcher, Refused
from features.events import consumer, publish, reader
from features.posts import link_store
from features.posts.events import LinkFound, LinkPreviewed, PostCreated, PostEdited
from features.posts.links import first_link, summarise
from features.posts.policy import PostPolicy

FETCHED = Counter("entativa_link_previews_total", "Pages that posts link to", ["result"])  # previewed, shared, refused

_KEPT_AT_ONCE = 500

_read_post = reader((PostCreated, PostEdited))

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class LinkPreviews:
    """Fetches previews."""

    policy: PostPolicy
    fetcher: PageFetcher
    now: Callable[[], datetime]

    def consumers(self) -> list[Consumer]:
        """The consumers of links."""
        return [
            Consumer("posts.links", frozenset([PostCreated.type, PostEdited.type]), self._find_links),
            consumer("posts.link_previews", (LinkFound,), self._preview, outside=True),
        ]

    async def _find_links(self, uow: UnitOfWork, events: Sequence[Event]) -> None:
        post_ids = {body.post_id for event in events if (body := _read_post(event)) is not None}
        rows = await link_store.texts(uow, post_ids)
        links = {row["id"]: url for row in rows if (url := first_link(row["text"])) != row["link_url"]}
        if not links:
            return
        await link_store.set_links(uow, links)
        for post_id, url in links.items():
            if url is not None:
                publish(uow, LinkFound(post_id), self.now())

    async def _preview(self, uow: UnitOfWork, event: LinkFound) -> None:
        row = await link_store.find(uow, event.post_id, self.now() - self.policy.link_refresh_after)
        if row is None or row["link_url"] is None:
            return
        url, link = row["link_url"], row["fresh"]
        await uow.commit()  # no transaction stays open while somebody's server answers
        link = link or await self._fetch(url)
        if link["title"] is None:
            await link_store.note_refusal(uow, event.post_id, url, link, self.now())
            return
        while post_ids := await link_store.keep(uow, url, link, self.now(), _KEPT_AT_ONCE):
            for post_id in post_ids:
                publish(uow, LinkPreviewed(post_id), self.now())
            await uow.commit()

    async def _fetch(self, url: str) -> dict[str, str | None]:
        """Returns what a page says about itself; without a title if it says nothing or may not be fetched."""
        try:
            found = summarise(await self.fetcher.fetch(url))
        except Refused as refusal:
            log.info("no preview of a link", reason=str(refusal))
            found = None
        FETCHED.labels("previewed" if found else "refused").inc()
        return {"url": url, **(asdict(found) if found else {"title": None, "description": None, "site_name": None})}
