"""Orders of one shop."""


def test_order(go_service):
    go_service.load("/order?shop=tea", requests=3000, connections=4)
