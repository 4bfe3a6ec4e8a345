"""Views that come over several connections at once."""


def test_view(go_service):
    go_service.load("/view", requests=2000, connections=4)
