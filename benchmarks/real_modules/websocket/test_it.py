"""Quotes one after the other, each over a connection that is closed again."""


def test_quote(go_service):
    go_service.load("/quote?of=gold", requests=300, connections=2)
