"""A broker in plain Python, written from docs/broker.md, as a witness for the C++ one. Whole units only."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

DRIFT = 1.1


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How to trade; `None` is no such rule. Costs as in a cost file, without borrowing."""

    capital: float
    max_exposure: float = 1.0
    stop_loss: float | None = None
    take_profit: float | None = None
    max_volume_share: float | None = None
    commission_per_share: float = 0.0
    commission_bps: float = 0.0
    commission_minimum: float = 0.0
    half_spread_bps: float = 0.0
    slippage_bps: float = 0.0


@dataclass(frozen=True)
class PlainBar:
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Wish:
    """A decision: the exposure, and the order that reaches it."""

    exposure: float
    order: str = "market"
    price: float = 0.0


@dataclass(frozen=True)
class PlainFill:
    bar: int
    at: str
    quantity: float
    price: float


@dataclass
class Account:
    cash: float
    position: float = 0.0
    average: float = 0.0
    wanted: float = 0.0
    working: int = 0
    leaving: bool = False
    drifted: bool = False
    volume: float = inf
    fills: list[PlainFill] = field(default_factory=list)
    cut: int = 0

    def equity(self, price: float) -> float:
        return self.cash + self.position * price


def sign(x: float) -> int:
    return (x > 0) - (x < 0)


def met(order: str, side: int, price: float, start: float, high: float, low: float) -> float | None:
    """Where an order for `side` meets prices that start at `start` and reach `high` and `low`."""
    if order == "limit" and side > 0:
        return min(start, price) if low < price else None
    if order == "limit":
        return max(start, price) if high > price else None
    if side > 0:
        return max(start, price) if high >= price else None
    return min(start, price) if low <= price else None


def paid_price(rules: Rules, side: int, reference: float, limit: float | None) -> float:
    impact = (rules.half_spread_bps + rules.slippage_bps) * 1e-4
    price = reference * (1 + impact) if side > 0 else reference * (1 - impact)
    if limit is None:
        return price
    return min(price, limit) if side > 0 else max(price, limit)


def wanted_units(rules: Rules, account: Account, exposure: float, reference: float, limit: float | None) -> float:
    """The most units whose value is within the share of the equity that is left after trading there, by bisection."""
    exposure = max(-rules.max_exposure, min(rules.max_exposure, exposure))
    equity = account.equity(reference)
    if exposure == 0 or equity <= 0:
        return 0.0
    side, share = sign(exposure), abs(exposure)
    held = side * account.position
    trade_side = side if share * equity / reference >= held else -side
    price = paid_price(rules, trade_side, reference, limit)

    def fits(units: int) -> bool:
        moved = abs(units - held)
        rate = rules.commission_per_share + rules.commission_bps * 1e-4 * price
        cost = moved * abs(price - reference) + max(rules.commission_minimum, rate * moved)
        return units * reference <= share * (equity - cost)

    low, high = 0, 2 + int(2 * (equity / reference + abs(held)))  # `low` is taken even if nothing fits
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return float(side * low)


def execute(
    rules: Rules,
    account: Account,
    target: float,
    *,
    bar: int,
    at: str,
    reference: float,
    limit: float | None = None,
    side: int = 0,
) -> tuple[bool, float]:
    """Trades towards `target` units as far as the bar's volume goes: whether there was a fill, and what is left."""
    quantity = target - account.position
    if side * quantity < 0:
        return False, 0.0
    left = 0.0
    if abs(quantity) > account.volume:
        taken = sign(quantity) * float(int(account.volume))
        left, quantity = quantity - taken, taken
        account.cut += 1
    if quantity == 0:
        return False, left
    price = paid_price(rules, sign(quantity), reference, limit)
    rate = rules.commission_per_share * abs(quantity) + rules.commission_bps * 1e-4 * abs(quantity) * price
    commission = max(rules.commission_minimum, rate)
    account.cash -= quantity * price + commission
    before, after = account.position, account.position + quantity
    whole_price = price + sign(quantity) * commission / abs(quantity)
    if after == 0:
        account.average = 0.0
    elif before * after <= 0:
        account.average = whole_price
    elif abs(after) > abs(before):
        account.average += (whole_price - account.average) * quantity / after
    account.position = after
    account.volume -= abs(quantity)
    account.fills.append(PlainFill(bar, at, quantity, price))
    return True, left


def send(
    rules: Rules,
    account: Account,
    exposure: float,
    *,
    bar: int,
    at: str,
    reference: float,
    limit: float | None = None,
    side: int = 0,
) -> bool:
    target = wanted_units(rules, account, exposure, reference, limit)
    filled, left = execute(rules, account, target, bar=bar, at=at, reference=reference, limit=limit, side=side)
    if not filled and left != 0:
        return False
    account.wanted, account.working = exposure, sign(left)
    account.leaving = account.drifted = False
    return filled


def leave(rules: Rules, account: Account, *, bar: int, at: str, reference: float, limit: float | None = None) -> None:
    _, left = execute(rules, account, 0.0, bar=bar, at=at, reference=reference, limit=limit)
    account.leaving, account.working, account.drifted = left != 0, 0, False


def at_open(rules: Rules, account: Account, wish: Wish, index: int, bar: PlainBar) -> None:
    is_market = wish.order == "market"
    if is_market and wish.exposure != account.wanted:
        send(rules, account, wish.exposure, bar=index, at="open", reference=bar.open)
    elif account.leaving:
        leave(rules, account, bar=index, at="open", reference=bar.open)
    elif account.drifted:
        send(rules, account, account.wanted, bar=index, at="open", reference=bar.open)
    elif is_market and account.working:
        send(rules, account, wish.exposure, bar=index, at="open", reference=bar.open, side=account.working)


@dataclass(frozen=True)
class Protective:
    at: str
    reference: float
    limit: float | None


def protective(rules: Rules, account: Account, start: float, bar: PlainBar, *, may_profit: bool) -> Protective | None:
    side = sign(account.position)
    if side == 0 or account.leaving:
        return None
    if rules.stop_loss is not None:
        level = account.average * (1 - side * rules.stop_loss)
        reference = met("stop", -side, level, start, bar.high, bar.low)
        if reference is not None:
            return Protective("stop", reference, None)
    if rules.take_profit is not None and may_profit:
        level = account.average * (1 + side * rules.take_profit)
        reference = met("limit", -side, level, start, bar.high, bar.low)
        if reference is not None:
            return Protective("limit", reference, level)
    return None


def within(rules: Rules, account: Account, wish: Wish, index: int, bar: PlainBar) -> Account:
    """The account after the rest of the bar."""
    exit_ = protective(rules, account, bar.open, bar, may_profit=True)
    after_exit: Account | None = None
    if exit_ is not None:
        after_exit = copy.deepcopy(account)
        leave(rules, after_exit, bar=index, at=exit_.at, reference=exit_.reference, limit=exit_.limit)

    goes_on = wish.exposure == account.wanted
    if wish.order == "market" or (goes_on and account.working == 0):
        return after_exit or account
    limit = wish.price if wish.order == "limit" else None
    side = sign(wanted_units(rules, account, wish.exposure, wish.price, limit) - account.position)
    if side == 0 or (goes_on and side != account.working):
        for each in (account, after_exit):  # nothing is left to do
            if each is not None:
                each.wanted, each.working = wish.exposure, 0
        return after_exit or account
    reference = met(wish.order, side, wish.price, bar.open, bar.high, bar.low)
    if reference is None:
        return after_exit or account
    after_order = copy.deepcopy(account)
    filled = send(
        rules, after_order, wish.exposure, bar=index, at=wish.order, reference=reference, limit=limit, side=side
    )
    if filled:
        stopped = protective(rules, after_order, reference, bar, may_profit=False)
        if stopped is not None:
            leave(rules, after_order, bar=index, at=stopped.at, reference=stopped.reference)
    if after_exit is None:
        return after_order
    worse = filled and after_order.equity(bar.close) < after_exit.equity(bar.close)
    return after_order if worse else after_exit


def trade(rules: Rules, bars: Sequence[PlainBar], wishes: Sequence[Wish]) -> tuple[Account, list[float]]:
    """The account at the end, and equity at each close. Raises ValueError where equity is gone: not covered here."""
    account, equity = Account(cash=rules.capital), []
    for index, bar in enumerate(bars):
        if rules.max_volume_share is not None:
            account.volume = rules.max_volume_share * bar.volume
        if index > 0:
            if account.equity(bar.open) <= 0:
                raise ValueError("equity is gone")
            at_open(rules, account, wishes[index - 1], index, bar)
            account = within(rules, account, wishes[index - 1], index, bar)
        worth = account.equity(bar.close)
        if worth <= 0:
            raise ValueError("equity is gone")
        account.drifted = abs(account.position * bar.close) > DRIFT * rules.max_exposure * worth
        equity.append(worth)
    return account, equity
