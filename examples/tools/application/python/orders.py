"""The orders, as a real shop would find them in its database."""

ORDERS = {
    4711: {"item": "A kettle", "euros": 40.0, "ordered": "2026-03-02", "delivered": "2026-03-09"},
    4712: {"item": "A toaster", "euros": 25.0, "ordered": "2026-03-05", "delivered": None},
}


async def find_order(number: int) -> dict:
    """Find an order: what it is, what it costs in euros, when it was ordered and delivered.

    Args:
        number: The number of the order.
    """
    if number not in ORDERS:
        raise LookupError(f"there is no order {number}")
    return ORDERS[number]
