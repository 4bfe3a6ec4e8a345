"""Reminders for a day that is over: all of them are refused."""


def test_remind(go_service):
    assert "not set" in go_service.get("/remind?at=2001-01-01T00:00:00Z").text
    go_service.load("/remind?at=2001-01-01T00:00:00Z&text=tea", requests=3000, connections=4)
