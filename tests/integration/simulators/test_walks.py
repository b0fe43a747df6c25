"""Whatever Payme sends in whatever order and however late, an order is never held twice, and nothing told is untold."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.providers.payme.errors import PaymeError
from services.payments.providers.payme.rpc import CancelParams, CheckParams, CreateParams, Params, PerformParams
from services.payments.providers.payme.rules import LIFE, State
from tests.integration.simulators.reference import ReferenceShop

BEGAN = 1_800_000_000_000
MOVES = {
    (None, State.CREATED),
    (State.CREATED, State.PERFORMED),
    (State.CREATED, State.CANCELLED),
    (State.PERFORMED, State.CANCELLED_AFTER_PERFORM),
}
CALL = st.sampled_from(["create", "perform", "cancel", "check"])
STEP = st.tuples(CALL, st.integers(0, 2), st.sampled_from([1, 1, 1, 1000, LIFE + 1]))


def params_of(call: str, payme_id: str, time: int, order: str) -> Params:
    if call == "create":
        return CreateParams(id=payme_id, time=time, amount=15000000, account={"order_id": order})
    if call == "cancel":
        return CancelParams(id=payme_id, reason=time % 10)
    return PerformParams(id=payme_id) if call == "perform" else CheckParams(id=payme_id)


def tell(shop: ReferenceShop, params: Params, now: int) -> object:
    try:
        return shop.payme_result(params, now)
    except PaymeError as refusal:
        return refusal.code


@settings(max_examples=500, derandomize=True, deadline=None)
@given(st.lists(STEP, min_size=5, max_size=30))
def test_every_walk_is_one_of_the_table(steps: list[tuple[str, int, int]]) -> None:
    shop, now, times = ReferenceShop(), BEGAN, {}
    order = shop.order()
    for call, which, passes in steps:
        now += passes
        params = params_of(call, f"tx{which}", times.setdefault(which, now), order.number)
        before = dict(shop.payme)

        first = tell(shop, params, now)
        after = dict(shop.payme)
        again = tell(shop, params, now + 1)

        assert again == first
        assert shop.payme == after
        for payme_id, transaction in after.items():
            known = before.get(payme_id)
            if known != transaction:
                assert (known and known.state, transaction.state) in MOVES
                assert transaction.state is not State.PERFORMED or now - transaction.time <= LIFE
        holding = [t.id for t in after.values() if t.state in (State.CREATED, State.PERFORMED)]
        assert len(holding) <= 1
        assert holding == ([order.payme] if order.payme else [])
        assert order.paid == any(t.state is State.PERFORMED for t in after.values())
