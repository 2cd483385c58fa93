"""A transcriber behind HTTP: a server that the operator runs or rents, with whichever model.

It gets a POST with the audio as body (`Content-Type: audio/mp4`) and answers

- 200 with WebVTT (`text/vtt`), its language in `Content-Language` (`und` where that is missing);
- 204 if nothing is said;
- 429, 502, 503 or 504 if it has no time: it is asked again later;
- 500 if it has failed: it is asked a few times more;
- anything else if it cannot transcribe this file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from features.videos.transcribing import TranscriberUnavailable, Transcript, Untranscribable

_BUSY = (429, 502, 503, 504)
_CONNECT_S = 10.0
_MAX_BYTES = 4 * 1024 * 1024
"""Of a transcript: ten thousand cues of an hour are less than one."""


class TranscriberFailed(Exception):
    """The transcriber has failed with this file, or does not end."""


@dataclass(frozen=True, slots=True)
class HttpTranscriber:
    """Implements features.videos.transcribing.Transcriber."""

    url: str
    token: str = field(default="", repr=False)
    """Sent as a bearer token; empty: none is sent."""
    timeout: timedelta = timedelta(hours=1)
    """How long a transcript may take."""

    async def transcribe(self, audio: AsyncIterator[bytes], size: int) -> Transcript | None:
        """See Transcriber.transcribe. Raises TranscriberFailed, too."""
        headers = {"Content-Type": "audio/mp4", "Content-Length": str(size), "Accept": "text/vtt"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        timeout = httpx.Timeout(self.timeout.total_seconds(), connect=_CONNECT_S)
        try:
            async with (
                httpx.AsyncClient(timeout=timeout) as client,
                client.stream("POST", self.url, content=audio, headers=headers) as answer,
            ):
                return await _read(answer)
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise TranscriberFailed("no answer in time") from error
        except httpx.TransportError as error:
            raise TranscriberUnavailable(type(error).__name__) from error


async def _read(answer: httpx.Response) -> Transcript | None:
    if answer.status_code == 204:
        return None
    if answer.status_code in _BUSY:
        raise TranscriberUnavailable(f"status {answer.status_code}")
    if answer.status_code == 500:
        raise TranscriberFailed("status 500")
    if answer.status_code != 200:
        raise Untranscribable(f"status {answer.status_code}")
    content = b""
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > _MAX_BYTES:
            raise Untranscribable(f"a transcript of more than {_MAX_BYTES} bytes")
    try:
        return Transcript(answer.headers.get("Content-Language", "und"), content.decode())
    except UnicodeDecodeError as error:
        raise Untranscribable("a transcript that is not UTF-8") from error
