"""Uploads with tuspy. (tus-js-client is in tests/peers/tus.mjs.)"""

import io
from threading import Event
from time import monotonic

import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError


def upload_with_tuspy(
    endpoint: str,
    authorization: str,
    data: bytes,
    *,
    chunk: int,
    media_type: str = "image/jpeg",
    timeout_s: float = 60,
    cancelled: Event | None = None,
) -> str:
    """Uploads, and begins again where the server stands as often as it takes. Returns the upload's address. Raises
    TimeoutError, also soon after another thread has set `cancelled`."""
    client = TusClient(endpoint, headers={"Authorization": authorization})
    url: str | None = None
    cancelled = cancelled or Event()
    deadline = monotonic() + timeout_s
    while monotonic() < deadline and not cancelled.is_set():
        try:
            uploader = client.uploader(
                file_stream=io.BytesIO(data), url=url, chunk_size=chunk, metadata={"filetype": media_type}
            )
            url = url or uploader.create_url()
            uploader.set_url(url)
            uploader.offset = uploader.get_offset()
            uploader.upload()
        except (TusCommunicationError, requests.RequestException):
            cancelled.wait(0.05)  # a replica that was killed refuses connections for seconds
            continue
        return url
    raise TimeoutError
