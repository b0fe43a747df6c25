"""What each movement of money takes from whom and gives to whom, to the cent."""

import random
from decimal import Decimal
from uuid import UUID

import pytest

from services.payments import ledger
from services.payments.ledger import COMMISSION, ESCROW, REFUNDS_DUE, WORKER, Entry, Standing
from shared.ids import new_id

ORDER, REFUND, SOMEONE = new_id(), new_id(), new_id()
TENTH = Decimal("0.10")


def money(text: str) -> Decimal:
    return Decimal(text)


def by_account(entries: list[Entry]) -> dict[str, str]:
    assert sum(entry.amount for entry in entries) == 0
    return {entry.account: str(entry.amount) for entry in entries}


def after(standing: Standing, entries: list[Entry]) -> Standing:
    def of(account: str, owner: UUID | None) -> Decimal:
        return sum((e.amount for e in entries if (e.account, e.owner_id) == (account, owner)), ledger.ZERO)

    return Standing(
        standing.escrow + of(ESCROW, ORDER),
        SOMEONE,
        standing.worker + of(WORKER, SOMEONE),
        standing.commission + of(COMMISSION, None),
    )


@pytest.mark.parametrize(
    ("amount", "rate", "ours"),
    [
        ("150000.00", "0.10", "15000.00"),
        ("0.05", "0.10", "0.01"),
        ("0.04", "0.10", "0.00"),
        ("0.15", "0.10", "0.02"),
        ("99.99", "0.125", "12.50"),
        ("100.00", "0", "0.00"),
        ("100.00", "1", "100.00"),
    ],
)
def test_the_commission_is_rounded_half_up(amount: str, rate: str, ours: str) -> None:
    assert ledger.commission(money(amount), Decimal(rate)) == money(ours)


def test_a_payment_waits_in_escrow() -> None:
    assert by_account(ledger.captured("click", ORDER, money("100.00"))) == {
        "clearing:click": "-100.00",
        "escrow": "100.00",
    }


def test_a_duplicate_is_promised_back_at_once_and_never_in_escrow() -> None:
    entries = ledger.captured_twice("payme", REFUND, money("100.00"))

    assert by_account(entries) == {"clearing:payme": "-100.00", "refunds_due": "100.00"}
    assert entries[1].owner_id == REFUND


def test_a_release_leaves_the_worker_what_is_not_commission() -> None:
    entries = ledger.released(ORDER, SOMEONE, money("99.95"), TENTH)

    assert by_account(entries) == {"escrow": "-99.95", "worker": "89.95", "commission": "10.00"}


def test_of_nothing_no_entry_is_written() -> None:
    assert {e.account for e in ledger.released(ORDER, SOMEONE, money("1.00"), Decimal(0))} == {ESCROW, WORKER}
    assert {e.account for e in ledger.released(ORDER, SOMEONE, money("1.00"), Decimal(1))} == {ESCROW, COMMISSION}


def test_a_refund_before_the_release_comes_out_of_escrow() -> None:
    entries = ledger.refund_opened(ORDER, REFUND, money("30.00"), Standing(escrow=money("100.00")))

    assert by_account(entries) == {"escrow": "-30.00", "refunds_due": "30.00"}


def test_a_refund_after_the_release_is_borne_in_proportion() -> None:
    standing = Standing(worker_id=SOMEONE, worker=money("90.00"), commission=money("10.00"))

    entries = ledger.refund_opened(ORDER, REFUND, money("33.33"), standing)

    assert by_account(entries) == {"worker": "-30.00", "commission": "-3.33", "refunds_due": "33.33"}


def test_what_is_in_escrow_again_goes_first() -> None:
    standing = Standing(money("20.00"), SOMEONE, money("72.00"), money("8.00"))

    entries = ledger.refund_opened(ORDER, REFUND, money("30.00"), standing)

    assert by_account(entries) == {"escrow": "-20.00", "worker": "-9.00", "commission": "-1.00", "refunds_due": "30.00"}


def test_more_than_the_order_has_is_a_bug() -> None:
    standing = Standing(money("20.00"), SOMEONE, money("72.00"), money("8.00"))

    with pytest.raises(ValueError, match="more than the order has"):
        ledger.refund_opened(ORDER, REFUND, money("100.01"), standing)


def test_however_it_is_cut_a_whole_refund_leaves_nothing_and_takes_no_cent_too_much() -> None:
    chance = random.Random(5)
    for _ in range(500):
        amount = Decimal(chance.randrange(1, 50_000)) / 100
        rate = Decimal(chance.choice(["0", "0.1", "0.125", "0.3333", "1"]))
        standing = after(Standing(escrow=amount), ledger.released(ORDER, SOMEONE, amount, rate))
        while (left := standing.worker + standing.commission) > 0:
            part = min(left, Decimal(chance.randrange(1, 20_000)) / 100)
            standing = after(standing, ledger.refund_opened(ORDER, REFUND, part, standing))
            assert min(standing.worker, standing.commission) >= 0
        assert (standing.worker, standing.commission) == (0, 0)


def test_a_refund_that_failed_gives_back_what_it_took() -> None:
    standing = Standing(money("20.00"), SOMEONE, money("72.00"), money("8.00"))
    taken = ledger.refund_opened(ORDER, REFUND, money("30.00"), standing)

    assert after(after(standing, taken), ledger.reversed_entries(taken)) == standing


def test_a_completed_refund_leaves_by_the_provider() -> None:
    entries = ledger.refund_completed("fake", REFUND, money("30.00"))

    assert by_account(entries) == {REFUNDS_DUE: "-30.00", "clearing:fake": "30.00"}


def test_a_payout_is_taken_from_what_the_worker_has() -> None:
    assert by_account(ledger.paid_out(SOMEONE, money("5.00"))) == {"worker": "-5.00", "payouts": "5.00"}
