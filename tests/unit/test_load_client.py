"""Single requests: against a server that says exactly what each test wants it to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

import pytest

from pytest_gomem.base.errors import ConfigError, LoadError, ObserveError, ObserveTimeout
from pytest_gomem.load.connection import Request
from pytest_gomem.load.driver import Sender, run_load
from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.load.spec import LoadSpec
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.observe.published import PrometheusPage

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: test\r\n\r\nhello"
CLOSE, RESET, SILENCE, LAST_HELLO = object(), object(), object(), object()


class ScriptedServer:
    """Answers the n-th request, on whichever connection, with the n-th line of its script."""

    def __init__(self, *script):
        self.requests = []
        self.connections = 0
        self.closed = threading.Event()
        self._script = list(script)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._current = None
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while self._script:
            connection, _ = self._listener.accept()
            self.connections += 1
            with connection:
                self._current = connection
                self._converse(connection)
            self.closed.set()

    def _converse(self, connection):
        while self._script and (request := self._read(connection)):
            self.requests.append(request)
            answer = self._script.pop(0)
            if answer is CLOSE:
                return
            if answer is RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if answer is SILENCE:
                connection.recv(1)
                return
            connection.sendall(HELLO if answer is LAST_HELLO else answer)
            if answer is LAST_HELLO:
                return

    @staticmethod
    def _read(connection):
        received = b""
        while b"\r\n\r\n" not in received:
            if not (chunk := connection.recv(65536)):
                return b""
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self):
        self._script.clear()
        with contextlib.suppress(OSError, AttributeError):
            self._current.shutdown(socket.SHUT_RDWR)  # wakes recv()
        with contextlib.suppress(OSError), socket.create_connection(self._listener.getsockname(), 1):
            pass  # wakes accept()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def talk():
    """A client and the server it talks to, from the server's script."""
    with contextlib.ExitStack() as stack:

        def start(*script, timeout=10.0):
            server = ScriptedServer(*script)
            stack.callback(server.close)
            client = HttpClient(server.url, timeout)
            stack.callback(client.close)
            return client, server

        yield start


def test_an_answer(talk):
    """Status, headers in any case, and body arrive whole."""
    client, _ = talk(HELLO)
    answer = client.request(Request("GET", "/x?y=1"))
    assert (answer.status, answer.ok, answer.body, answer.text) == (200, True, b"hello", "hello")
    assert answer.headers["x-KIND"] == "test"


def test_a_connection_is_kept(talk):
    """Several requests go over one connection."""
    client, server = talk(HELLO, HELLO, HELLO)
    for _ in range(3):
        client.request(Request("GET", "/"))
    assert server.connections == 1


def test_what_is_sent(talk):
    """Method, path with query, headers and body reach the server as given."""
    client, server = talk(HELLO)
    client.request(Request("POST", "/a b?c=d", json={"n": 1}, headers={"X-Mine": "yes"}))
    assert server.requests[0].startswith(b"POST /a%20b?c=d HTTP/1.1\r\n")
    assert b"\r\nX-Mine: yes\r\n" in server.requests[0]
    assert b"\r\nContent-Type: application/json\r\n" in server.requests[0]
    assert server.requests[0].endswith(b'\r\n\r\n{"n": 1}')


def test_json_is_read(talk):
    """The body's JSON value can be had; a body that is none is a ValueError."""
    client, _ = talk(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}', HELLO)
    assert client.request(Request("GET", "/")).json() == {"a": 1}
    with pytest.raises(ValueError, match="Expecting value"):
        client.request(Request("GET", "/")).json()


@pytest.mark.parametrize(("status", "ok"), [(204, True), (304, True), (400, False), (404, False), (500, False)])
def test_any_status_is_an_answer(talk, status, ok):
    """A failing status is returned, not raised, and is not ok."""
    client, _ = talk(f"HTTP/1.1 {status} Words\r\nContent-Length: 0\r\n\r\n".encode())
    answer = client.request(Request("GET", "/"))
    assert (answer.status, answer.ok) == (status, ok)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Later\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_request_is_sent_once(talk, answer):
    """Neither Retry-After nor a redirect makes a second request that nobody counted."""
    client, server = talk(answer, HELLO)
    assert client.request(Request("GET", "/")).status in (503, 302)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (CLOSE, "closed without an answer"),
        (RESET, "connection reset"),
        (HELLO[:-1], "answer cut off (status 200 and 4 bytes of its body came)"),
        (b"nonsense\r\n", "no HTTP/1.1 came back"),
    ],
)
def test_no_whole_answer_is_an_error(talk, answer, words):
    """A request without a whole answer fails with method, address and what happened, and is not sent again."""
    client, server = talk(answer)
    with pytest.raises(LoadError) as caught:
        client.request(Request("PUT", "/up"))
    assert str(caught.value).splitlines()[0] == f"PUT {server.url}/up got no answer: {words}"
    assert len(server.requests) == 1


def test_a_late_answer_is_an_error_that_names_the_limit(talk):
    """Of two timeouts the request's own is the one that counts."""
    client, _ = talk(SILENCE)
    with pytest.raises(LoadError, match=r"got no whole answer within 0\.05 s$"):
        client.request(Request("GET", "/", timeout=0.05))


def test_nobody_listens(talk):
    """A refused connection is told as such."""
    client, server = talk()
    server.close()
    with pytest.raises(LoadError, match="connection refused"):
        client.request(Request("GET", "/"))


def test_a_connection_that_the_server_closed_while_idle_is_no_error(talk):
    """The next request after the server let an idle connection go uses a new one."""
    client, server = talk(LAST_HELLO, HELLO)
    client.request(Request("GET", "/"))
    server.closed.wait()
    assert client.request(Request("GET", "/")).ok
    assert server.connections == 2


def test_a_load_reopens_what_the_server_closed_while_idle(talk):
    """The driver's connection, too, takes a server's farewell between two requests for what it is."""
    _, server = talk(LAST_HELLO, HELLO)
    sender = Sender(LoadSpec(server.url, "/", requests=2))
    assert sender.send() == 200
    server.closed.wait()
    assert sender.send() == 200
    sender.close()


def test_a_load_goes_on_after_a_failure(talk):
    """A request that got no whole answer is named by what happened, and the next one uses a new connection."""
    _, server = talk(b"nonsense\r\n", RESET, CLOSE, HELLO)
    sender = Sender(LoadSpec(server.url, "/", requests=4))
    outcomes = [sender.send() for _ in range(4)]
    assert outcomes == ["no HTTP/1.1 came back", "connection reset", "closed without an answer", 200]
    sender.close()


def test_a_proxy_of_the_environment_is_ignored(talk, monkeypatch):
    """Requests go to the service itself, whatever proxy the shell names."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    client, _ = talk(HELLO)
    assert client.request(Request("GET", "/")).ok


def test_a_whole_url_in_place_of_a_path_is_refused(talk):
    """A path is looked up below the service's address, so that no request leaves for another host by mistake."""
    client, _ = talk()
    with pytest.raises(ConfigError, match="whole URL"):
        client.request(Request("GET", "http://example.com/"))


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class DrippingServer(threading.Thread):
    """Answers each request with `head`, and then with one `drop` after the other, until the client hangs up."""

    def __init__(self, head, drop=b"1", pause=0.02):
        super().__init__(daemon=True)
        self._said = head, drop, pause
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = 0
        self._is_closed = threading.Event()
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._drip, args=(self._listener.accept()[0],), daemon=True).start()

    def _drip(self, connection):
        head, drop, pause = self._said
        with connection, contextlib.suppress(ConnectionError):
            connection.recv(65536)
            self.requests += 1
            connection.sendall(head)
            while not self._is_closed.wait(pause):
                connection.sendall(drop)

    def close(self):
        self._is_closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join()


@pytest.fixture
def dripping():
    with contextlib.ExitStack() as stack:

        def start(*said):
            return stack.enter_context(contextlib.closing(DrippingServer(*said)))

        yield start


DRIPS = {
    "status line": b"HTTP/1.1 200 ",
    "header": OK + b"X-A: ",
    "chunk size": CHUNKED,
    "chunk": CHUNKED + b"ffff\r\n",
    "body": OK + b"\r\n",
    "body of a length": OK + b"Content-Length: 100000\r\n\r\n",
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"HTTP/1.1 100 ",
}


@pytest.mark.parametrize("head", DRIPS.values(), ids=DRIPS)
def test_a_drip_ends_by_the_deadline(dripping, head):
    """However often a byte comes: a single request, one of a load, and a page that we read end, and name the limit."""
    server = dripping(head)
    with contextlib.closing(HttpClient(server.url)) as client:
        with pytest.raises(LoadError, match=r"GET http://\S+/ got no whole answer within 0\.2 s") as caught:
            client.request(Request("GET", "/", timeout="200ms"))
        assert caught.value.kind == "timeout"
        page = PrometheusPage(f"{server.url}/metrics", 0.2)
        with contextlib.closing(page), pytest.raises(ObserveTimeout, match=r"/metrics got no whole answer within 0\.2"):
            page.read()
    sender = Sender(LoadSpec(server.url, "/", requests=1, timeout=0.2))
    assert sender.send() == "timeout"


@pytest.mark.parametrize(("until_timeout", "sent"), [(True, 2), (False, 4)])
def test_a_load_that_must_not_fail_ends_with_its_first_timeouts(dripping, until_timeout, sent):
    """Each connection sends no more after one; where errors are allowed all is sent."""
    server = dripping(OK + b"X-A: ")
    spec = LoadSpec(server.url, "/", requests=4, connections=2, timeout=0.1, until_timeout=until_timeout)
    assert run_load(spec).statuses == (("timeout", sent),)


def test_what_came_before_the_deadline_is_told(dripping):
    """Status and size of a body that does not end are what a reader looks for first."""
    server = dripping(OK + b"\r\nhello")
    words = r"within 0\.1 s \(status 200 and [1-9][0-9]* bytes of its body came\)"
    with contextlib.closing(HttpClient(server.url)) as client, pytest.raises(LoadError, match=words):
        client.request(Request("GET", "/", timeout=0.1))


def test_a_reader_that_takes_nothing_ends_by_the_deadline(talk):
    """The deadline covers the sending too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = HttpClient(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(LoadError, match=r"no whole answer within 0\.1 s"):
            client.request(Request("POST", "/", body=b"x" * (16 << 20), timeout=0.1))


def test_a_silent_source_is_asked_once_a_window(dripping):
    """After one timeout each further question has the same answer at once, until a window begins."""
    server = dripping(OK + b"X-A: ")
    with contextlib.closing(PprofEndpoint(server.url, 0.1)) as endpoint:
        reasons = []
        for ask in (endpoint.memstats, endpoint.settled, endpoint.heap_profile):
            with pytest.raises(ObserveTimeout) as caught:
                ask()
            reasons.append(str(caught.value))
        assert (len(set(reasons)), server.requests) == (1, 1)
        endpoint.silence.forget()
        with pytest.raises(ObserveTimeout):
            endpoint.memstats()
        assert server.requests == 2


def body_of(size):
    return OK + b"Content-Length: %d\r\n\r\n" % size + b"x" * size


def test_a_body_is_read_up_to_its_limit(talk):
    """One of just that size is read; of a larger one the error names the option, and the next answer is its own."""
    client, server = talk(body_of(1000), body_of(1001), HELLO)
    assert len(client.request(Request("GET", "/"), max_body=1000).body) == 1000
    with pytest.raises(
        LoadError, match=rf"GET {server.url}/ is larger than max_body=1000B\n  allow more with max_body="
    ):
        client.request(Request("GET", "/"), max_body="1000B")
    assert client.request(Request("GET", "/")).text == "hello"


def test_a_page_is_read_up_to_its_limit(dripping):
    """What we read ourselves is bounded too, and told without options that its reader does not have."""
    server = dripping(OK + b"\r\n", b"x" * (1 << 20), 0.0)
    words = r"/heap\?debug=1 answered with more than 128MiB$"
    with contextlib.closing(PprofEndpoint(server.url)) as endpoint, pytest.raises(ObserveError, match=words):
        endpoint.memstats()


def test_options_of_a_request_are_checked(talk):
    """A mistake is the caller's, and named."""
    client, _ = talk()
    for timeout in ("soon", 0):
        with pytest.raises(ConfigError, match=r"^timeout="):
            client.request(Request("GET", "/", timeout=timeout))
    with pytest.raises(ConfigError, match=r"^max_body="):
        client.request(Request("GET", "/"), max_body="1 parsec")


def test_a_stream_gives_pieces_as_they_come(dripping):
    """An endless body is read as far as it is wanted, well behind the timeout, which is for each piece."""
    server = dripping(OK + b"X-Kind: events\r\n\r\n", b"data: 1\r\n")
    with contextlib.closing(HttpClient(server.url)) as client:
        with client.stream(Request("GET", "/events", timeout=0.2)) as answer:
            assert (answer.status, answer.ok, answer.headers["x-kind"]) == (200, True, "events")
            began, read = time.monotonic(), 0
            for piece in answer:
                read += len(piece)
                if time.monotonic() - began > 0.4:
                    break
            assert read > 0
        with client.stream(Request("GET", "/events")) as answer:
            assert next(answer.lines()) == "data: 1"


def test_a_stream_that_falls_silent_breaks_off(dripping):
    """Its timeout begins anew with each piece, and ends the wait for one that never comes."""
    server = dripping(OK + b"\r\nfirst", b"")
    with (
        contextlib.closing(HttpClient(server.url)) as client,
        client.stream(Request("GET", "/", timeout=0.1)) as answer,
    ):
        pieces = iter(answer)
        assert next(pieces) == b"first"
        with pytest.raises(LoadError, match=r"the stream of GET \S+ broke off: nothing more came within 0\.1 s"):
            next(pieces)


def test_a_stream_ends_with_its_body(talk):
    """Its last line need not be ended, and its connection is not used again."""
    client, server = talk(OK + b"Content-Length: 8\r\n\r\none\r\ntwo", HELLO)
    with client.stream(Request("GET", "/")) as answer:
        assert list(answer.lines()) == ["one", "two"]
    assert client.request(Request("GET", "/")).ok
    assert server.connections == 2
