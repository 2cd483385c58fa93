"""Fetches pages of the public web on behalf of users, who choose the addresses.

Nothing here can be turned on the internal network. Every connection, those after redirects included, is opened by
`PublicNetwork`: it resolves the host, refuses it unless each of its addresses is public, and connects to an address
that it has checked. There is no second resolution that could answer otherwise (DNS rebinding), no proxy, and no other
way out of the connection pool. TLS and Host still use the host's name.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urljoin, urlsplit

import httpcore

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host, as texts. Raises OSError."""

_NOT_PUBLIC_IPV4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_GLOBAL_IPV6 = ip_network("2000::/3")
_NOT_PUBLIC_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "2620:4f:8000::/48",
        "3ffe::/16",
        "3fff::/20",
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)


class Refused(Exception):
    """The page may not be fetched, or is not one."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds of one fetch, redirects included."""

    timeout_s: float = 8.0
    max_bytes: int = 512 * 1024
    """Of the body that is read: a longer page is cut off."""
    max_redirects: int = 3
    max_url_length: int = 2_000
    ports: frozenset[int] = frozenset({80, 443})
    content_types: frozenset[str] = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """What came: where from, after redirects, the beginning of its bytes, and the charset that was announced."""

    url: str
    body: bytes
    charset: str | None


def is_public(address: Address) -> bool:
    """Returns whether an address is one of the public internet's. Addresses that stand for others (mapped IPv4, 6to4,
    Teredo, NAT64, ISATAP) are not: they could lead back inside."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_IPV4)
    if address.scope_id is not None or address not in _GLOBAL_IPV6:
        return False
    # The middle of the 64 low bits of an ISATAP address; what follows is an IPv4 address.
    return (int(address) >> 32) & 0xFFFFFFFF not in _ISATAP and not any(address in net for net in _NOT_PUBLIC_IPV6)


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Returns the addresses of a host, as the system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to public addresses only."""

    def __init__(self, resolve: Resolve = resolve_host, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._resolve = resolve
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to a host. Raises Refused if one of its addresses is not public."""
        try:
            addresses = [ip_address(text) for text in await self._resolve(host, port)]
        except (OSError, ValueError) as error:  # UnicodeError of a host that is no name is a ValueError
            raise httpcore.ConnectError("the host has no address") from error
        if not addresses or not all(map(is_public, addresses)):
            raise Refused("the host has an address that is not public")
        return await self._network.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise Refused("a Unix socket is not public")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


_HEADERS = [(b"Accept", b"text/html"), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"EntativaLinkPreview/1.0")]
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class PageFetcher:
    """Fetches pages, without cookies and with a new connection for each request."""

    network: httpcore.AsyncNetworkBackend
    limits: FetchLimits = FetchLimits()
    ssl_context: ssl.SSLContext | None = None

    async def fetch(self, url: str) -> FetchedPage:
        """Returns the page at an address. Raises Refused for one that may not be fetched, is no page, or does not come
        within the limits."""
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                return await self._fetch(url)
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise Refused("the page took too long") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            raise Refused("the page could not be read") from error

    async def _fetch(self, url: str) -> FetchedPage:
        for _ in range(self.limits.max_redirects + 1):
            self._check(url)
            async with (
                httpcore.AsyncConnectionPool(ssl_context=self.ssl_context, network_backend=self.network) as pool,
                pool.stream("GET", url, headers=[(b"Host", _host_header(url)), *_HEADERS]) as response,
            ):
                headers = {name.lower(): value.decode("latin-1") for name, value in reversed(response.headers)}
                if response.status in _REDIRECTS and b"location" in headers:
                    url = _joined(url, headers[b"location"].strip())
                    continue
                return FetchedPage(url, await self._body(response, headers), _charset(headers))
        raise Refused("too many redirects")

    def _check(self, url: str) -> None:
        """Raises Refused unless this is an address of the web that may be fetched."""
        if len(url) > self.limits.max_url_length or not url.isascii() or any(not 33 <= ord(sign) < 127 for sign in url):
            raise Refused("the address is too long or has characters that no address has")
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (ValueError, KeyError):
            raise Refused("the address is not one of the web") from None
        if not parts.hostname or parts.username is not None or parts.password is not None or "%" in parts.netloc:
            raise Refused("the address has no host, a name and a password, or a zone")
        if port not in self.limits.ports:
            raise Refused("the address has an unusual port")

    async def _body(self, response: httpcore.Response, headers: dict[bytes, str]) -> bytes:
        kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        if response.status != 200 or kind not in self.limits.content_types:
            raise Refused("there is no page")
        if headers.get(b"content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise Refused("the page is compressed, which was not asked for")
        body = bytearray()
        async for part in response.aiter_stream():
            body += part
            if len(body) >= self.limits.max_bytes:
                break
        return bytes(body[: self.limits.max_bytes])


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise Refused("the page redirects to what is no address") from None


def _host_header(url: str) -> bytes:
    return urlsplit(url).netloc.encode("ascii")


def _charset(headers: dict[bytes, str]) -> str | None:
    for parameter in headers.get(b"content-type", "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or None
    return None
