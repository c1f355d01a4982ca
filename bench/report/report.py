#!/usr/bin/env python3
"""Turns the JSON of daybook_compare into a Markdown table, plots (SVG) and docs/benchmarks.md.

    report.py RESULTS.json OUT_FOLDER [--docs docs/benchmarks.md --command "scripts/bench ..."]

Writes OUT_FOLDER/table.md, OUT_FOLDER/ratios.svg and OUT_FOLDER/<workload>.svg. With --docs it also
puts the workloads of this run in place of those that benchmarks.json beside that page has from an
earlier run, keeps the others with the run that each is of, and writes the page from that and
method.md, with the ratios as benchmarks.svg.

    report.py --docs docs/benchmarks.md

Writes the page again from what is kept.
"""

import argparse
import json
import pathlib
import re

import svg


def short(number):
    """A figure for a reader: three digits that count, thousands apart."""
    if number >= 1000:
        digits = max(0, len(str(int(number))) - 3)
        return f"{int(round(number, -digits)):,}"
    return f"{number:.3g}"


def times(number):
    return f"{number:.2f}" if number < 10 else f"{number:.0f}"


def spread(values, form):
    return f"{form(values['median'])} [{form(values['min'])}..{form(values['max'])}]"


def named_rate(workload, name):
    rate = next(c["rate"] for c in workload["contestants"] if c["name"] == name)
    return f"{name}: {short(rate['median'])}"


def rows(results):
    """One row a comparison: its workload, and the words of its columns."""
    for workload in results["workloads"]:
        unit = workload["unit"]
        for comparison in workload["comparisons"]:
            subject = named_rate(workload, comparison["subject"])
            if comparison["rival"]:
                rival = named_rate(workload, comparison["rival"])
                bar = f"≥ {times(comparison['bar'])} ×"
                ratio = spread(comparison["ratio"], times) + " ×"
            else:
                rival, bar = "", f"≥ {short(comparison['bar'])} {unit}"
                ratio = spread(comparison["ratio"], short)
            yield workload["id"], [workload["id"], bar, f"{subject} {unit}", rival, ratio,
                                  comparison["verdict"]]


def table(results):
    lines = ["| workload | bar | measured | rival | ratio, median [min..max] | the bar is |",
             "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(cells) + " |" for _, cells in rows(results)]
    return "\n".join(lines) + "\n"


def workload_list(results):
    """What each workload did, for whoever wants to repeat it."""
    lines = []
    for workload in results["workloads"]:
        lines.append(f"- **{workload['id']}**, {workload['title']}: {workload['data']}. "
                     f"Durability: {workload['durability']}.")
    return "\n".join(lines) + "\n"


def grouped(workloads, facts_of):
    """The ids of the workloads that have the same facts, by these facts, in order."""
    groups = {}
    for workload in workloads:
        groups.setdefault(tuple(facts_of(workload["run"])), []).append(workload["id"])
    return groups.items()


def run_list(workloads):
    """Which command measured which workload."""
    lines = []
    for facts, ids in grouped(workloads, lambda run: (run["command"], run["machine"].get("date"),
                                                      run["pairs"], run["scale"])):
        command, date, pairs, scale = facts
        lines.append(f"- {', '.join(ids)}: `{command}`, {date}, {pairs} rounds, scale {scale:g}")
    return "\n".join(lines) + "\n"


def machine_list(workloads):
    def facts(run):
        return ((name, value) for name, value in run["machine"].items() if name != "date")

    parts = []
    groups = grouped(workloads, facts)
    for machine, ids in groups:
        of_whom = [f"{', '.join(ids)}:\n"] if len(groups) > 1 else []
        parts.append("\n".join(of_whom + [f"- {name}: {value}" for name, value in machine]) + "\n")
    return "\n".join(parts)


def by_number(workload):
    """W2 before W10, and what has no number behind them."""
    number = re.fullmatch(r"W(\d+)(.*)", workload["id"])
    return (0, int(number[1]), number[2]) if number else (1, 0, workload["id"])


def merged(kept, results, command):
    """What is kept, with the workloads of this run in place of older ones."""
    run = {"command": command, **{key: results[key] for key in ("pairs", "scale", "machine")}}
    new = [{**workload, "run": run} for workload in results["workloads"]]
    ids = {workload["id"] for workload in new}
    old = [workload for workload in kept["workloads"] if workload["id"] not in ids]
    return {"schema": 1, "workloads": sorted(old + new, key=by_number)}


def page(kept, picture):
    method = (pathlib.Path(__file__).parent / "method.md").read_text(encoding="utf-8")
    if not kept["workloads"]:
        return method + "\n## Figures\n\nNone yet: `scripts/bench --update-docs` puts them here.\n"
    return (method + "\n## Figures\n\n" + table(kept)
            + f"\n![Ratios against their bars]({picture})\n\n"
            + "### Workloads as run\n\n" + workload_list(kept)
            + "\n### Runs\n\n" + run_list(kept["workloads"])
            + "\n### Machine\n\n" + machine_list(kept["workloads"]))


def read_kept(path):
    if not path.exists():
        return {"schema": 1, "workloads": []}
    return json.loads(path.read_text(encoding="utf-8"))


def write_docs(docs, kept):
    docs.with_suffix(".json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n",
                                         encoding="utf-8")
    picture = docs.with_suffix(".svg")
    if kept["workloads"]:
        picture.write_text(svg.ratios(kept), encoding="utf-8")
    docs.write_text(page(kept, picture.name), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=pathlib.Path, nargs="?")
    parser.add_argument("out", type=pathlib.Path, nargs="?")
    parser.add_argument("--docs", type=pathlib.Path)
    parser.add_argument("--command", default="scripts/bench")
    arguments = parser.parse_args()

    kept = read_kept(arguments.docs.with_suffix(".json")) if arguments.docs else None
    if arguments.results is None and arguments.docs:
        write_docs(arguments.docs, kept)
        return
    if arguments.out is None:
        parser.error("RESULTS.json and OUT_FOLDER, or --docs alone")

    results = json.loads(arguments.results.read_text(encoding="utf-8"))
    for schema in (results["schema"], kept["schema"] if kept else 1):
        if schema != 1:
            parser.error(f"results of schema {schema}; this script knows 1")
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "table.md").write_text(table(results), encoding="utf-8")
    (arguments.out / "ratios.svg").write_text(svg.ratios(results), encoding="utf-8")
    for workload in results["workloads"]:
        (arguments.out / f"{workload['id']}.svg").write_text(svg.rates(workload), encoding="utf-8")
    if arguments.docs:
        write_docs(arguments.docs, merged(kept, results, arguments.command))


if __name__ == "__main__":
    main()
