"""The books that the tests of time travel ask for, of real logs and of generated ones.

Three shapes of logs: traffic fines, payments to suppliers, accounts of coins. Each has a question
in SQL, and a way to its answer from the states of all streams.
"""

import bisect
import gzip
import json
import os
import pathlib
import random
import subprocess
import sys

from support import equal, nanoseconds, rfc3339, run

DATA = pathlib.Path(os.environ.get("DAYBOOK_SHARED_DATA")
                    or pathlib.Path(__file__).resolve().parents[3] / "shared" / "data")
ANSWERS = pathlib.Path(__file__).resolve().parents[1] / "time_travel" / "answers.py"
PAST_STATES = os.environ.get("DAYBOOK_PAST_STATES")
END = "the end"
DAY = 86400 * 10**9


def have_data():
    """Whether the real logs are there to be asked about; where not, it says so."""
    if os.environ.get("DAYBOOK_TEST_SHORT"):
        print("SKIPPED: real event logs take long, and this run is to be short")
        return False
    if not (DATA / "expected.json").exists():
        print(f"SKIPPED: no real event logs in {DATA}")
        return False
    return True


def real_log(name):
    """The lines of a real log, and its answers."""
    with open(DATA / "expected.json", encoding="utf-8") as file:
        expected = json.load(file)[name]
    return gzip.decompress((DATA / f"{name}.ndjson.gz").read_bytes()).splitlines(), expected


def moment_in(key):
    """The moment in a key such as "Q1 book at 2010-01-01T00:00:00.000Z", or "the end"."""
    return key.rpartition(" at ")[2]


# --- Moments ------------------------------------------------------------------------------------


def times_of(lines):
    """The times of lines of a log, in nanoseconds."""
    return [nanoseconds(json.loads(line)["time"]) for line in lines]


def known_at(text, lines):
    """How many of these lines, which are in the order of their times, are effective by then."""
    until = nanoseconds(text)
    return bisect.bisect_right(lines, until, key=lambda line: nanoseconds(json.loads(line)["time"]))


def moment(position=None, effective=None):
    found = {"position": position, "effective": effective}
    return {name: value for name, value in found.items() if value is not None}


def as_options(asked):
    """A moment as options of the command."""
    return [word for name, value in asked.items() for word in (f"--as-of-{name}", value)]


def as_word(asked):
    """A moment as a word for past_states."""
    return ",".join(f"{name}={value}" for name, value in asked.items()) or "latest"


# --- The programs -------------------------------------------------------------------------------


def brute_force(lines, shape, moments):
    """The states of all streams at each moment, by a program that knows nothing of Daybook."""
    process = subprocess.run([sys.executable, "-B", ANSWERS, shape, json.dumps(moments)],
                             input=b"\n".join(lines), capture_output=True, check=False)
    equal(process.returncode, 0, process.stderr)
    return json.loads(process.stdout)


def past_states(store, fold, moments, *options):
    """The same by a fold in C++, and what was counted on the way."""
    process = subprocess.run([PAST_STATES, store, fold, *map(str, options), *map(as_word, moments)],
                             capture_output=True, check=False)
    equal(process.returncode, 0, process.stderr)
    *states, counted = map(json.loads, process.stdout.splitlines())
    found = [{} for _ in moments]
    for line in states:
        if line["events"] > 0:  # a stream none of whose events holds by then is not in the book
            found[line["moment"]][line["stream"]] = {"events": line["events"],
                                                     "state": line["state"]}
    return found, counted


def verify_snapshots(store, fold):
    process = subprocess.run([PAST_STATES, store, fold, "--verify-snapshots"],
                             capture_output=True, check=False)
    equal(process.returncode, 0, process.stderr)
    return json.loads(process.stdout)


def sql(store, query, *options):
    return run("sql", store, query, *options).lines()


def import_lines(store, lines, *options):
    counts = run("import", store, "-", *options, stdin=b"\n".join(lines) + b"\n").json()
    equal((counts["events"], counts["duplicates"]), (len(lines), 0))


# --- Fines --------------------------------------------------------------------------------------

# The last amount of a fine is that of its last event in the order of the moment.
FINES = """
WITH fine AS (
  SELECT stream, count(*) AS events,
         sum(iif(type = 'Send Fine', coalesce(data->>'$.expense_cents', 0), 0)) AS expense,
         sum(iif(type = 'Payment', coalesce(data->>'$.paymentAmount_cents', 0), 0)) AS paid,
         max(type = 'Send for Credit Collection') AS in_collection
    FROM events GROUP BY stream),
amounts AS (
  SELECT stream, data->>'$.amount_cents' AS amount,
         row_number() OVER (PARTITION BY stream ORDER BY {order}) AS k
    FROM events
   WHERE type IN ('Create Fine', 'Add penalty') AND data->>'$.amount_cents' IS NOT NULL),
book AS (
  SELECT fine.stream, events, coalesce(amount, 0) AS amount, expense, paid, in_collection,
         coalesce(amount, 0) + expense - paid AS open
    FROM fine LEFT JOIN amounts ON fine.stream = amounts.stream AND k = 1)
"""
BOOK_OF_FINES = FINES + """
SELECT sum(events) AS events_at_T, count(*) AS fines, sum(amount + expense) AS due_cents,
       sum(paid) AS paid_cents, count(*) FILTER (WHERE open > 0) AS outstanding_fines,
       coalesce(sum(open) FILTER (WHERE open > 0), 0) AS outstanding_cents,
       count(*) FILTER (WHERE open > 0 AND NOT in_collection)
         AS outstanding_not_in_collection_fines,
       coalesce(sum(open) FILTER (WHERE open > 0 AND NOT in_collection), 0)
         AS outstanding_not_in_collection_cents
  FROM book
"""
# One fine, with the filter where it is pushed down.
ONE_FINE = """
WITH fine AS (SELECT * FROM events WHERE stream = '{stream}')
SELECT count(*) AS version,
       (SELECT type FROM fine ORDER BY {order} LIMIT 1) AS last_type,
       (SELECT data->>'$.amount_cents' FROM fine
         WHERE type IN ('Create Fine', 'Add penalty') ORDER BY {order} LIMIT 1) AS amount_cents,
       coalesce(sum(data->>'$.expense_cents') FILTER (WHERE type = 'Send Fine'), 0)
         AS expense_cents,
       coalesce(sum(data->>'$.paymentAmount_cents') FILTER (WHERE type = 'Payment'), 0)
         AS paid_cents
  FROM fine
"""
BY_EFFECTIVE = "effective_ns DESC, position DESC"
BY_POSITION = "position DESC"


def order_of(asked):
    return BY_EFFECTIVE if "effective" in asked else BY_POSITION


def fines_by_sql(store, asked):
    return sql(store, BOOK_OF_FINES.format(order=order_of(asked)), *as_options(asked))[0]


def one_fine_by_sql(store, stream, asked):
    query = ONE_FINE.format(stream=stream, order=order_of(asked))
    return sql(store, query, *as_options(asked))[0]


def book_of_fines(states):
    """What BOOK_OF_FINES answers, from the states of all fines."""
    fines = [line["state"] for line in states.values()]
    opened = [fine["amount_cents"] + fine["expense_cents"] - fine["paid_cents"] for fine in fines]
    early = [cents for cents, fine in zip(opened, fines) if not fine["in_collection"]]
    return {
        "events_at_T": sum(line["events"] for line in states.values()),
        "fines": len(fines),
        "due_cents": sum(fine["amount_cents"] + fine["expense_cents"] for fine in fines),
        "paid_cents": sum(fine["paid_cents"] for fine in fines),
        "outstanding_fines": sum(cents > 0 for cents in opened),
        "outstanding_cents": sum(cents for cents in opened if cents > 0),
        "outstanding_not_in_collection_fines": sum(cents > 0 for cents in early),
        "outstanding_not_in_collection_cents": sum(cents for cents in early if cents > 0),
    }


def state_of_fine(states, stream):
    line = states[stream]
    return {"version": line["events"],
            **{name: line["state"][name] for name in ("last_type", "amount_cents", "expense_cents",
                                                      "paid_cents")}}


# --- Suppliers ----------------------------------------------------------------------------------

SUPPLIERS = """
SELECT count(DISTINCT stream) AS suppliers, sum(data->>'$.amount_pence') AS total_pence,
       sum(data->>'$.amount_pence') FILTER (WHERE type LIKE 'Revenue%') AS revenue_pence,
       sum(data->>'$.amount_pence') FILTER (WHERE type LIKE 'Capital%') AS capital_pence
  FROM events
"""
TOP_SUPPLIERS = """
SELECT stream, sum(data->>'$.amount_pence') AS pence
  FROM events GROUP BY stream ORDER BY pence DESC, stream LIMIT 3
"""
# The same by the table of states, with --fold sum:amount_pence.
SUPPLIER_STATES = """
SELECT count(*) AS suppliers, sum(CAST(state AS INTEGER)) AS total_pence FROM state
"""


def suppliers_by_sql(store, asked):
    options = as_options(asked)
    book = sql(store, SUPPLIERS, *options)[0]
    states = sql(store, SUPPLIER_STATES, "--fold", "sum:amount_pence", *options)[0]
    equal(states, {name: book[name] for name in ("suppliers", "total_pence")}, asked)
    book["top3"] = [[row["stream"], row["pence"]] for row in sql(store, TOP_SUPPLIERS, *options)]
    return book


def book_of_suppliers(states):
    sums = {stream: line["state"]["revenue_pence"] + line["state"]["capital_pence"]
            for stream, line in states.items()}
    top = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:3]
    return {"suppliers": len(sums), "total_pence": sum(sums.values()),
            "revenue_pence": sum(line["state"]["revenue_pence"] for line in states.values()),
            "capital_pence": sum(line["state"]["capital_pence"] for line in states.values()),
            "top3": [list(item) for item in top]}


# --- Accounts -----------------------------------------------------------------------------------

ACCOUNTS = """
WITH account AS (
  SELECT stream, sum(iif(type = 'Debited', -1, 1) * (data->>'$.value_sat')) AS balance,
         sum(iif(type = 'BlockReward', data->>'$.value_sat', 0)) AS minted
    FROM events GROUP BY stream)
SELECT coalesce(sum(minted), 0) AS supply, count(*) FILTER (WHERE balance > 0) AS with_balance,
       coalesce(sum(balance) FILTER (WHERE stream = '{stream}'), 0) AS balance
  FROM account
"""


def accounts_by_sql(store, stream, asked):
    return sql(store, ACCOUNTS.format(stream=stream), *as_options(asked))[0]


def book_of_accounts(states, stream):
    balances = {name: line["state"]["balance_sat"] for name, line in states.items()}
    return {"supply": sum(line["state"]["minted_sat"] for line in states.values()),
            "with_balance": sum(balance > 0 for balance in balances.values()),
            "balance": balances.get(stream, 0)}


# --- Generated logs of these shapes -------------------------------------------------------------


def generated(make, events, seed):
    """Lines of NDJSON: days with ties, facts that come late, and lines that are identical."""
    dice = random.Random(seed)
    start = nanoseconds("2006-01-01T00:00:00Z")
    lines = []
    for number in range(events):
        if lines and dice.random() < 0.02:
            lines.append(dice.choice(lines))
            continue
        time = start + (number // 7) * DAY
        if dice.random() < 0.1:
            time -= dice.randrange(300) * DAY
        if dice.random() < 0.05:
            time += dice.randrange(10**9)
        stream, kind, data = make(dice)
        lines.append(json.dumps({"stream": stream, "type": kind, "time": rfc3339(time),
                                 "data": data}, separators=(",", ":")).encode())
    return lines


def make_fine_event(dice):
    stream = f"fine-{min(dice.randrange(250), dice.randrange(250))}"
    kind = dice.choice(["Create Fine", "Send Fine", "Payment", "Payment", "Add penalty",
                        "Insert Fine Notification", "Send for Credit Collection"])
    cents = dice.randrange(1, 9000)
    data = {"Create Fine": {"amount_cents": cents, "article": 157},
            "Send Fine": {"expense_cents": cents},
            "Payment": {"paymentAmount_cents": cents},
            "Add penalty": {"amount_cents": cents * 2},
            "Insert Fine Notification": {"lastSent": "P"}}.get(kind, {})
    return stream, kind, data


def make_payment(dice):
    stream = f"supplier-{min(dice.randrange(120), dice.randrange(120))}"
    kind = dice.choice(["RevenuePayment", "RevenuePayment", "CapitalPayment", "RevenueCredit"])
    pence = dice.randrange(50_000, 9_000_000) * (-1 if kind == "RevenueCredit" else 1)
    voucher = dice.randrange(10**8)
    return stream, kind, {"amount_pence": pence, "trans_no": f"{voucher}_{dice.randrange(1, 4)}",
                          "voucher": str(voucher), "source": f"201{dice.randrange(4, 8)}-Q1"}


def make_coin_event(dice):
    stream = f"account-{dice.randrange(60):02x}"
    kind = dice.choice(["BlockReward", "BlockReward", "Credited", "Debited"])
    return stream, kind, {"value_sat": dice.randrange(1, 50) * 10**8, "height": 1}


def moments_of(lines):
    """Times worth asking at: before all, in the middle on a tie, 1 ns before it, the last."""
    times = sorted(set(times_of(lines)))
    middle = times[len(times) // 2]
    return [rfc3339(time) for time in (times[0] - 1, times[0], middle - 1, middle, times[-1])]
