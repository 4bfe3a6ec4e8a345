"""Requests whose token is nothing but dots."""


def test_account(go_service):
    go_service.load("/account", requests=400, connections=4, headers={"Authorization": "Bearer " + "." * 2000})
