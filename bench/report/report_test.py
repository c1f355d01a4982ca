#!/usr/bin/env python3
"""Tests of the report: a table says what the results say, and every plot is well-formed."""

import copy
import unittest
import xml.dom.minidom

import report
import svg


def spread(median, low, high):
    return {"median": median, "min": low, "max": high}


RESULTS = {
    "schema": 1, "pairs": 5, "scale": 1, "machine": {"date": "2026-11-24", "kernel": "Linux"},
    "workloads": [{
        "id": "W1", "title": "durable append & more", "unit": "events/s",
        "durability": "synced", "data": "20000 events",
        "contestants": [
            {"name": "Daybook", "rates": [900, 1000, 1100], "rate": spread(1000, 900, 1100)},
            {"name": "SQLite", "rates": [500, 500, 500], "rate": spread(500, 500, 500)}],
        "comparisons": [
            {"subject": "Daybook", "rival": "SQLite", "bar": 1.5, "ratios": [1.8, 2, 2.2],
             "ratio": spread(2, 1.8, 2.2), "verdict": "met"},
            {"subject": "Daybook", "rival": "", "bar": 100000, "ratios": [900, 1000, 1100],
             "ratio": spread(1000, 900, 1100), "verdict": "missed"}]}]}


NOTHING = {"schema": 1, "workloads": []}


def of_workload(name, kernel):
    """The results of another run, of this workload alone."""
    results = copy.deepcopy(RESULTS)
    results["workloads"][0]["id"] = name
    results["machine"]["kernel"] = kernel
    return results


class ReportTest(unittest.TestCase):
    def test_a_row_names_bar_rates_ratio_and_verdict(self):
        self.assertIn("| W1 | ≥ 1.50 × | Daybook: 1,000 events/s | SQLite: 500 "
                      "| 2.00 [1.80..2.20] × | met |", report.table(RESULTS))

    def test_a_bar_without_a_rival_is_a_rate(self):
        self.assertIn("| W1 | ≥ 100,000 events/s | Daybook: 1,000 events/s |  "
                      "| 1,000 [900..1,100] | missed |", report.table(RESULTS))

    def test_the_page_has_method_figures_and_machine(self):
        kept = report.merged(NOTHING, RESULTS, "scripts/bench --scale 1")
        page = report.page(kept, "benchmarks.svg")
        for part in ("## Method", "## Figures", "20000 events", "- kernel: Linux",
                     "- W1: `scripts/bench --scale 1`, 2026-11-24, 5 rounds, scale 1"):
            self.assertIn(part, page)

    def test_a_run_replaces_its_workloads_and_keeps_the_others_with_the_run_they_are_of(self):
        kept = report.merged(NOTHING, RESULTS, "first")
        kept = report.merged(kept, of_workload("W10", "Linux"), "second")
        kept = report.merged(kept, of_workload("W2", "Linux"), "third")
        self.assertEqual([w["id"] for w in kept["workloads"]], ["W1", "W2", "W10"])
        kept = report.merged(kept, of_workload("W1", "Linux"), "fourth")
        self.assertEqual([w["run"]["command"] for w in kept["workloads"]],
                         ["fourth", "third", "second"])

    def test_runs_on_two_machines_are_told_apart(self):
        kept = report.merged(NOTHING, RESULTS, "first")
        self.assertNotIn("W1:\n", report.machine_list(kept["workloads"]))
        kept = report.merged(kept, of_workload("W2", "another"), "second")
        self.assertEqual(report.machine_list(kept["workloads"]),
                         "W1:\n\n- kernel: Linux\n\nW2:\n\n- kernel: another\n")

    def test_the_plots_are_well_formed(self):
        for plot in (svg.ratios(RESULTS), svg.rates(RESULTS["workloads"][0])):
            xml.dom.minidom.parseString(plot)

    def test_a_title_cannot_break_a_plot(self):
        workload = copy.deepcopy(RESULTS["workloads"][0])
        workload["title"] = "<a> & <b>"
        xml.dom.minidom.parseString(svg.rates(workload))


if __name__ == "__main__":
    unittest.main()
