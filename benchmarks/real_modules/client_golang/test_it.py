"""Requests by methods that no standard knows, as scanners send them."""


def test_order(go_service):
    for number in range(800):
        with go_service.stream("/order", method=f"SCAN-{number}") as answer:
            assert answer.ok
