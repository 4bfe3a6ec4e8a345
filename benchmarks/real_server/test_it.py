"""A stream of 2000 orders in memory, and 200 clients with 50 subscriptions each."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

ORDERS, SIZE, SUBJECTS = 2000, 8000, 50
CLIENTS, SUBSCRIPTIONS = 200, 50


class Client:
    """A connection that speaks the protocol of NATS."""

    def __init__(self, port, name):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self._lines = self.socket.makefile("rb")
        assert self._lines.readline().startswith(b"INFO")
        self.send(f"CONNECT {json.dumps({'verbose': False, 'name': name})}")
        self.settle()

    def send(self, line, data=None):
        self.socket.sendall(line.encode() + b"\r\n" + (b"" if data is None else data + b"\r\n"))

    def settle(self):
        """Until all that was sent is done."""
        self.send("PING")
        assert self._lines.readline() == b"PONG\r\n"

    def publish(self, subject, data, reply=""):
        self.send(f"PUB {subject} {reply} {len(data)}", data)

    def ask(self, subject, data):
        self.send("SUB _INBOX.answer 1")
        self.publish(subject, json.dumps(data).encode(), "_INBOX.answer")
        size = int(self._lines.readline().split()[-1])
        answer = json.loads(self._lines.read(size + 2))
        self.send("UNSUB 1")
        return answer

    def close(self):
        self._lines.close()
        self.socket.close()


def test_it(go_service):
    port = urlsplit(go_service.url()).port
    with contextlib.ExitStack() as open_until_the_end:

        def connect(name):
            client = Client(port, name)
            open_until_the_end.callback(client.close)
            return client

        producer = connect("producer")
        stream = {"name": "ORDERS", "subjects": ["orders.>"], "storage": "memory"}
        assert "error" not in producer.ask("$JS.API.STREAM.CREATE.ORDERS", stream)
        for number in range(ORDERS):
            producer.publish(f"orders.{number % SUBJECTS}", b"o" * SIZE)
            if number % 100 == 99:
                producer.settle()
        for number in range(CLIENTS):
            consumer = connect(f"consumer {number}")
            for at in range(SUBSCRIPTIONS):
                consumer.send(f"SUB prices.{number}.{at} {at + 1}")
            consumer.settle()
        found = go_service.retention()
    figures = {
        "typed": found.typed_objects,
        "bytes": found.live_bytes,
        "holders": [asdict(holder) for holder in found.holders],
    }
    Path("figures.json").write_text(json.dumps(figures, default=str))
