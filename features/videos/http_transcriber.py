"""A transcriber behind HTTP: a server that the operator runs or rents, with whichever model.

It gets a POST with the audio as body (`Content-Type: audio/mp4`) and answers

- 200 with WebVTT (`text/vtt`), its language in `Content-Language` (`und` where that is missing);
- 204 if nothing is said;
- 413, 415 or 422 if it cannot transcribe this file: it is not asked again;
- 429 or 503 if it has no time: it is asked again later, not before `Retry-After` (seconds), as often as it takes;
- anything else if it has failed: it is asked a few times more. So do a response that breaks off and one that takes too
  long. What only some files bring about must end, and what a wrong address or token brings about (3xx, 401, 403, 404)
  must not cost captions: both end as dead letters, which can be requeued.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from features.videos.transcribing import TranscriberUnavailable, Transcript, Untranscribable

_BUSY = (429, 503)
_REFUSED = (413, 415, 422)
_CONNECT_S = 10.0
_MAX_BYTES = 4 * 1024 * 1024
"""Of a transcript: ten thousand cues of an hour are less than one."""
_LONGEST_WAIT_S = 3600
"""Which a transcriber can ask for."""


class TranscriberFailed(Exception):
    """The transcriber has failed with this file, does not end, or is not what the address and the token are for."""


@dataclass(frozen=True, slots=True)
class HttpTranscriber:
    """Implements features.videos.transcribing.Transcriber."""

    url: str
    token: str = field(default="", repr=False)
    """Sent as a bearer token; empty: none is sent."""
    timeout: timedelta = timedelta(hours=1)
    """How long a transcript may take in all, from the first byte sent to the last one received."""

    async def transcribe(self, audio: AsyncIterator[bytes], size: int) -> Transcript | None:
        """See Transcriber.transcribe. Raises TranscriberFailed, too."""
        headers = {"Content-Type": "audio/mp4", "Content-Length": str(size), "Accept": "text/vtt"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        # Those of httpx are per read: a byte now and then would keep a request alive for ever.
        timeout = httpx.Timeout(None, connect=_CONNECT_S)
        try:
            async with (
                asyncio.timeout(self.timeout.total_seconds()),
                httpx.AsyncClient(timeout=timeout) as client,
                client.stream("POST", self.url, content=audio, headers=headers) as answer,
            ):
                return await _read(answer)
        except TimeoutError as error:
            raise TranscriberFailed("no transcript in time") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise TranscriberUnavailable(type(error).__name__) from error
        except httpx.TransportError as error:
            raise TranscriberFailed(type(error).__name__) from error


async def _read(answer: httpx.Response) -> Transcript | None:
    if answer.status_code == 204:
        return None
    if answer.status_code in _BUSY:
        raise TranscriberUnavailable(f"status {answer.status_code}", _wait(answer))
    if answer.status_code in _REFUSED:
        raise Untranscribable(f"status {answer.status_code}")
    if answer.status_code != 200:
        raise TranscriberFailed(f"status {answer.status_code}")
    content = b""
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > _MAX_BYTES:
            raise Untranscribable(f"a transcript of more than {_MAX_BYTES} bytes")
    try:
        return Transcript(answer.headers.get("Content-Language", "und"), content.decode())
    except UnicodeDecodeError as error:
        raise Untranscribable("a transcript that is not UTF-8") from error


def _wait(answer: httpx.Response) -> timedelta:
    """Returns how long a response asks to wait."""
    asked = answer.headers.get("Retry-After", "")
    if not (asked.isascii() and asked.isdigit()):
        return timedelta(0)
    return timedelta(seconds=min(int(asked[:9]), _LONGEST_WAIT_S))
