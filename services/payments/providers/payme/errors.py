"""What Payme is told when it can't have its way, in the three languages that its payers see."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Code(IntEnum):
    NOT_POST = -32300
    UNPARSABLE = -32700
    BAD_REQUEST = -32600
    BAD_FISCAL_DATA = -32602
    NO_SUCH_METHOD = -32601
    NOT_AUTHORIZED = -32504
    SYSTEM = -32400
    RECEIPT_NOT_FOUND = -32001
    WRONG_AMOUNT = -31001
    NOT_FOUND = -31003
    DELIVERED = -31007
    NOT_NOW = -31008
    ORDER_NOT_FOUND = -31050
    ORDER_PAID = -31051
    ORDER_CANCELLED = -31052
    ORDER_NOT_ACCEPTED = -31053
    ORDER_BUSY = -31099


# code → ru, uz, en
MESSAGES: Mapping[Code, tuple[str, str, str]] = {
    Code.NOT_POST: ("Метод запроса не POST", "Soʻrov usuli POST emas", "The request is not a POST"),
    Code.UNPARSABLE: ("Ошибка разбора JSON", "JSONni oʻqib boʻlmadi", "The JSON can't be parsed"),
    Code.BAD_REQUEST: ("Неверный RPC-запрос", "RPC soʻrovi notoʻgʻri", "A field is missing or of a wrong type"),
    Code.BAD_FISCAL_DATA: ("Неверные параметры", "Parametrlar notoʻgʻri", "The parameters are wrong"),
    Code.NO_SUCH_METHOD: ("Метод не найден", "Usul topilmadi", "There is no such method"),
    Code.NOT_AUTHORIZED: ("Недостаточно привилегий", "Huquqlar yetarli emas", "Not authorized"),
    Code.SYSTEM: ("Системная ошибка", "Tizim xatosi", "System error"),
    Code.RECEIPT_NOT_FOUND: ("Чек не найден", "Chek topilmadi", "Receipt not found"),
    Code.WRONG_AMOUNT: ("Неверная сумма", "Summa notoʻgʻri", "Wrong amount"),
    Code.NOT_FOUND: ("Транзакция не найдена", "Tranzaksiya topilmadi", "Transaction not found"),
    Code.DELIVERED: (
        "Заказ выполнен, отмена невозможна",
        "Buyurtma bajarilgan, bekor qilib boʻlmaydi",
        "The order is fulfilled and can't be cancelled",
    ),
    Code.NOT_NOW: (
        "Невозможно выполнить операцию",
        "Amalni bajarib boʻlmaydi",
        "The operation can't be performed",
    ),
    Code.ORDER_NOT_FOUND: ("Заказ не найден", "Buyurtma topilmadi", "Order not found"),
    Code.ORDER_PAID: ("Заказ уже оплачен", "Buyurtma toʻlangan", "The order is paid"),
    Code.ORDER_CANCELLED: ("Заказ отменён", "Buyurtma bekor qilingan", "The order is cancelled"),
    Code.ORDER_NOT_ACCEPTED: (
        "Заказ ещё не принят исполнителем",
        "Buyurtma hali qabul qilinmagan",
        "No worker has accepted the order yet",
    ),
    Code.ORDER_BUSY: ("Заказ оплачивается", "Buyurtma uchun toʻlov ketmoqda", "The order is being paid"),
}


class PaymeError(Exception):
    """Answered as an error object. `data` names the account's field, or the method that there is not."""

    def __init__(self, code: int, data: str | None = None) -> None:
        super().__init__(f"{code} {data or ''}".rstrip())
        self.code, self.data = code, data

    def answer(self, call_id: int | str | None) -> dict[str, Any]:
        known = self.code in MESSAGES
        ru, uz, en = MESSAGES[Code(self.code) if known else Code.ORDER_BUSY]
        error = {"code": int(self.code), "message": {"ru": ru, "uz": uz, "en": en}, "data": self.data}
        return {"error": error, "id": call_id}
