#!/usr/bin/env python3
"""Turns the JSON of daybook_compare into a Markdown table, plots (SVG) and docs/benchmarks.md.

    report.py RESULTS.json OUT_FOLDER [--docs docs/benchmarks.md]

Writes OUT_FOLDER/table.md, OUT_FOLDER/ratios.svg and OUT_FOLDER/<workload>.svg. With --docs it also
writes that page from method.md, with ratios.svg beside it as benchmarks.svg.

    report.py --docs docs/benchmarks.md

Writes the page without figures.
"""

import argparse
import json
import pathlib
import shutil

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


def machine_list(results):
    lines = [f"- {name}: {value}" for name, value in results["machine"].items()]
    lines.append(f"- rounds: {results['pairs']}, scale: {results['scale']:g}")
    return "\n".join(lines) + "\n"


def page(results, picture):
    method = (pathlib.Path(__file__).parent / "method.md").read_text(encoding="utf-8")
    if results is None:
        return method + "\n## Figures\n\nNone yet: `scripts/bench --update-docs` puts them here.\n"
    return (method + "\n## Figures\n\n" + table(results)
            + f"\n![Ratios against their bars]({picture})\n\n"
            + "### Workloads as run\n\n" + workload_list(results)
            + "\n### Machine\n\n" + machine_list(results))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=pathlib.Path, nargs="?")
    parser.add_argument("out", type=pathlib.Path, nargs="?")
    parser.add_argument("--docs", type=pathlib.Path)
    arguments = parser.parse_args()

    if arguments.results is None and arguments.docs:
        arguments.docs.write_text(page(None, ""), encoding="utf-8")
        return
    if arguments.out is None:
        parser.error("RESULTS.json and OUT_FOLDER, or --docs alone")

    results = json.loads(arguments.results.read_text(encoding="utf-8"))
    if results["schema"] != 1:
        parser.error(f"{arguments.results} has schema {results['schema']}, this script knows 1")
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "table.md").write_text(table(results), encoding="utf-8")
    (arguments.out / "ratios.svg").write_text(svg.ratios(results), encoding="utf-8")
    for workload in results["workloads"]:
        (arguments.out / f"{workload['id']}.svg").write_text(svg.rates(workload), encoding="utf-8")
    if arguments.docs:
        picture = arguments.docs.with_name("benchmarks.svg")
        shutil.copyfile(arguments.out / "ratios.svg", picture)
        arguments.docs.write_text(page(results, picture.name), encoding="utf-8")


if __name__ == "__main__":
    main()
