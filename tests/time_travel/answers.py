#!/usr/bin/env python3
"""What the states of all streams were at moments: by brute force, from the lines imported.

usage: answers.py SHAPE MOMENTS < LINES

It knows nothing of Daybook. LINES are NDJSON with stream, type, time and data; the position of an
event is its line's number. SHAPE is fine, supplier, account or chain. MOMENTS is a JSON array of
objects {"position": P, "effective": T, "order": "position"}, each part optional: events of the
first P lines whose time is T or before, folded by (time, position) where there is a T, and else,
or where the order says so, by position. Prints an array with an object for each moment: stream ->
{"events", "state"}.
"""

import datetime
import json
import re
import sys

MASK = 2**64 - 1


def moment_of(text):
    """RFC 3339 as (second, nanosecond): a tuple that sorts as time does."""
    match = re.fullmatch(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", text)
    zone = "+00:00" if match.group(3) == "Z" else match.group(3)
    second = datetime.datetime.fromisoformat(match.group(1) + zone).timestamp()
    return second, int((match.group(2) or "0").ljust(9, "0"))


def fine(events):
    state = {"last_type": "", "amount_cents": 0, "expense_cents": 0, "paid_cents": 0,
             "in_collection": False}
    for kind, data in events:
        state["last_type"] = kind
        if kind in ("Create Fine", "Add penalty") and "amount_cents" in data:
            state["amount_cents"] = data["amount_cents"]
        if kind == "Send Fine":
            state["expense_cents"] += data.get("expense_cents", 0)
        if kind == "Payment":
            state["paid_cents"] += data.get("paymentAmount_cents", 0)
        if kind == "Send for Credit Collection":
            state["in_collection"] = True
    return state


def supplier(events):
    amounts = [(kind.startswith("Capital"), data["amount_pence"]) for kind, data in events]
    return {"revenue_pence": sum(amount for capital, amount in amounts if not capital),
            "capital_pence": sum(amount for capital, amount in amounts if capital)}


def account(events):
    return {"balance_sat": sum(data["value_sat"] * (-1 if kind == "Debited" else 1)
                               for kind, data in events),
            "minted_sat": sum(data["value_sat"] for kind, data in events if kind == "BlockReward")}


def chain(events):
    value = 0xCBF29CE484222325
    for _, data in events:
        for byte in data["trans_no"].encode() + b"\n":
            value = ((value ^ byte) * 0x100000001B3) & MASK
    return {"hash": value, "pence": sum(data["amount_pence"] for _, data in events)}


SHAPES = {shape.__name__: shape for shape in (fine, supplier, account, chain)}


def states_at(streams, moment, shape):
    position = moment.get("position", MASK)
    until = moment_of(moment["effective"]) if "effective" in moment else None
    by_time = until is not None and moment.get("order") != "position"
    states = {}
    for stream, events in streams.items():
        known = [event for event in events
                 if event[1] <= position and (until is None or event[0] <= until)]
        if by_time:
            known.sort(key=lambda event: event[:2])
        if known:
            states[stream] = {"events": len(known),
                              "state": shape([event[2:] for event in known])}
    return states


def main():
    shape, moments = SHAPES[sys.argv[1]], json.loads(sys.argv[2])
    streams, times = {}, {}
    for position, text in enumerate(sys.stdin.buffer, 1):
        line = json.loads(text)
        time = line["time"]
        if time not in times:
            times[time] = moment_of(time)
        streams.setdefault(line["stream"], []).append(
            (times[time], position, line["type"], line["data"]))
    json.dump([states_at(streams, moment, shape) for moment in moments], sys.stdout)


if __name__ == "__main__":
    main()
