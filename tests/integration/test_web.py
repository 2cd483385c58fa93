"""Fetching pages at addresses that users choose: nothing reaches the internal network, however it is asked for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import httpcore
import pytest

from cluster.web import FetchLimits, PageFetcher, PublicNetwork, Refused, is_public, resolve_host

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
PAGE = b"<title>Hi</title>"

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:93.184.215.14",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:5db8:d70e::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "2606:2800:21f::5efe:7f00:1",
    "2606:2800:21f::200:5efe:a00:1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", [PUBLIC, OTHER, "1.1.1.1", "100.63.255.255", "172.32.0.1", "2a00:1450:4001::200e"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@dataclass
class Listener:
    """A server on the addresses of this machine. It notes each connection, and answers with what it is told to."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request)
            writer.write(self.answers.get(request.split()[1].decode(), b"HTTP/1.1 404 Not Found\r\n\r\n"))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _listening() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with _listening() as listener:
        yield listener


def _page(body: bytes = PAGE, *headers: str, kind: str = "text/html; charset=utf-8") -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def _redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


class Internet(httpcore.AsyncNetworkBackend):
    """Where public addresses lead to in these tests: to a listener. It notes which were connected to."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.connected: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        assert is_public(ip_address(host)), host
        self.connected.append(host)
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self.listener.port, timeout)


@dataclass
class Names:
    """Answers of the DNS, one after another for each name; what is a number is resolved by the system."""

    answers: dict[str, list[Sequence[str]]]
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host in self.answers:
            found = self.answers[host]
            return found.pop(0) if len(found) > 1 else found[0]
        return await resolve_host(host, port)


def _limits(listener: Listener) -> FetchLimits:
    return FetchLimits(timeout_s=20, ports=frozenset({80, 443, listener.port}))


HOSTS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "169.254.169.254",
    "10.0.0.1",
    "100.64.0.1",
    "inside.example",
    "mixed.example",
    "mixed6.example",
    "mapped.example",
    "nat64.example",
]


def _names() -> Names:
    return Names(
        {
            "public.example": [[PUBLIC]],
            "inside.example": [["127.0.0.1"]],
            "mixed.example": [[PUBLIC, "127.0.0.1"]],
            "mixed6.example": [[PUBLIC, "::1"]],
            "mapped.example": [["::ffff:127.0.0.1"]],
            "nat64.example": [["64:ff9b::7f00:1"]],
            "rebinding.example": [[PUBLIC], ["127.0.0.1"]],
        }
    )


@pytest.mark.parametrize("host", HOSTS)
async def test_hosts_that_lead_inside_are_not_connected_to(listener: Listener, host: str) -> None:
    """At once, and by a redirect of a public page."""
    async with _listening() as outside:
        outside.answers["/"] = _redirect(f"http://{host}:{listener.port}/")
        internet = Internet(outside)
        fetcher = PageFetcher(PublicNetwork(_names().resolve, internet), _limits(listener))
        with pytest.raises(Refused):
            await fetcher.fetch(f"http://{host}:{listener.port}/")
        assert internet.connected == []
        with pytest.raises(Refused):
            await fetcher.fetch("http://public.example/")
        assert internet.connected == [PUBLIC]
    assert listener.connections == 0


@pytest.mark.parametrize("host", HOSTS)
async def test_nothing_inside_is_connected_to_by_the_network_of_this_machine_either(
    listener: Listener, host: str
) -> None:
    fetcher = PageFetcher(PublicNetwork(_names().resolve), _limits(listener))
    with pytest.raises(Refused):
        await fetcher.fetch(f"http://{host}:{listener.port}/")
    assert listener.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://public.example/",
        "gopher://public.example/",
        "http:///",
        "http://",
        "//public.example/",
        "public.example",
        "http://user@public.example/",
        "http://user:pass@public.example/",
        "http://public.example:22/",
        "http://public.example:99999/",
        "http://public.example:x/",
        "http://public.example/\r\nHost: inside",
        "http://public.example/ x",
        "http://public.example/\u00e9",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://public.example/" + "x" * 2_000,
    ],
)
async def test_addresses_that_are_not_fetched(listener: Listener, url: str) -> None:
    internet = Internet(listener)
    fetcher = PageFetcher(PublicNetwork(_names().resolve, internet), FetchLimits(timeout_s=20))
    with pytest.raises(Refused):
        await fetcher.fetch(url)
    async with _listening() as outside:
        outside.answers["/"] = _redirect(url.partition("\r")[0].encode("ascii", "replace").decode())
        leading = PageFetcher(PublicNetwork(_names().resolve, Internet(outside)), FetchLimits(timeout_s=20))
        with pytest.raises(Refused):
            await leading.fetch("http://public.example/")
    assert listener.connections == 0


async def test_a_page_is_fetched_from_the_address_that_was_checked(listener: Listener) -> None:
    """A name that is public when it is checked and internal afterwards is resolved once for each connection."""
    listener.answers["/a?b=c"] = _page()
    names, internet = _names(), Internet(listener)
    fetcher = PageFetcher(PublicNetwork(names.resolve, internet))
    page = await fetcher.fetch("http://rebinding.example/a?b=c#part")
    assert (page.body, page.charset) == (PAGE, "utf-8")
    assert names.asked == ["rebinding.example"]
    assert internet.connected == [PUBLIC]
    assert b"\r\nHost: rebinding.example\r\n" in listener.requests[0]
    with pytest.raises(Refused):
        await fetcher.fetch("http://rebinding.example/a?b=c")
    assert listener.connections == 1


async def test_redirects_are_followed_a_few_times_and_cookies_are_not_kept(listener: Listener) -> None:
    listener.answers["/"] = _redirect("next").replace(b"\r\nLocation", b"\r\nSet-Cookie: a=b\r\nLocation")
    listener.answers["/next"] = _page()
    fetcher = PageFetcher(PublicNetwork(_names().resolve, Internet(listener)))
    assert (await fetcher.fetch("http://public.example/")).url == "http://public.example/next"
    assert not any(b"cookie" in request.lower() for request in listener.requests)
    listener.answers["/next"] = _redirect("/")
    with pytest.raises(Refused, match="redirects"):
        await fetcher.fetch("http://public.example/")


@pytest.mark.parametrize(
    "answer",
    [
        _page(kind="image/png"),
        _page(kind="application/json"),
        _page(PAGE, "Content-Encoding: gzip"),
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"not HTTP at all\r\n\r\n",
        b"",
    ],
)
async def test_what_is_no_page(listener: Listener, answer: bytes) -> None:
    listener.answers["/"] = answer
    fetcher = PageFetcher(PublicNetwork(_names().resolve, Internet(listener)))
    with pytest.raises(Refused):
        await fetcher.fetch("http://public.example/")


async def test_a_long_page_is_cut_off_and_a_slow_one_refused(listener: Listener) -> None:
    listener.answers["/long"] = _page(b"x" * 3_000_000)
    limits = FetchLimits(timeout_s=20)
    fetcher = PageFetcher(PublicNetwork(_names().resolve, Internet(listener)), limits)
    assert len((await fetcher.fetch("http://public.example/long")).body) == limits.max_bytes
    listener.answers["/slow"] = _page(b"x", "Content-Length: 100")[:-20]
    hasty = replace(fetcher, limits=replace(limits, timeout_s=0.3))
    async with _stalling() as port:
        stalled = Listener(port)
        with pytest.raises(Refused, match="too long"):
            await replace(hasty, network=PublicNetwork(_names().resolve, Internet(stalled))).fetch(
                "http://public.example/slow"
            )


@asynccontextmanager
async def _stalling() -> AsyncIterator[int]:
    """A server that takes connections and says nothing."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_tls_is_for_the_name_and_not_for_the_address(listener: Listener) -> None:
    asked: list[str] = []

    class Stream(httpcore.AsyncNetworkStream):
        async def start_tls(
            self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
        ) -> httpcore.AsyncNetworkStream:
            asked.append(server_hostname or "")
            raise httpcore.ConnectError("far enough")

        async def aclose(self) -> None:
            pass

    class Recording(Internet):
        async def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
        ) -> httpcore.AsyncNetworkStream:
            self.connected.append(f"{host}:{port}")
            return Stream()

    internet = Recording(listener)
    with pytest.raises(Refused):
        await PageFetcher(PublicNetwork(_names().resolve, internet)).fetch("https://public.example/")
    assert (internet.connected, asked) == ([f"{PUBLIC}:443"], ["public.example"])
