"""Plots as SVG, written by hand: bars that lie, with the spread of the rounds drawn over them."""

import html
import math

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 290, 110, 26, 46
COLOURS = {"met": "#2f7d4f", "half": "#c98a1b", "missed": "#b23a3a"}
SUBJECT, OTHER = "#2b5c8a", "#9aa7b3"


def text(x, y, words, anchor="start", weight="normal", colour="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="{colour}">{html.escape(words)}</text>')


def line(x1, y1, x2, y2, colour, width=1.0, dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"{dashes}/>')


def picture(title, rows, parts):
    height = TOP + ROW * rows + 16
    return ('<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12" '
            f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">\n'
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
            + text(12, 22, title, weight="bold") + "\n" + "\n".join(parts) + "\n</svg>\n")


def bar_row(row, label, value, low, high, scale, colour, figure):
    """A bar from the left edge to `value`, a whisker from `low` to `high`, its figure behind."""
    y = TOP + ROW * row
    middle = y + ROW / 2
    end = max(scale(value), LEFT + 1)
    return [text(LEFT - 8, middle + 4, label, anchor="end"),
            f'<rect x="{LEFT}" y="{y + 4}" width="{end - LEFT:.1f}" height="{ROW - 8}" '
            f'fill="{colour}"/>',
            line(scale(low), middle, scale(high), middle, "#111", 1.5),
            line(scale(low), middle - 4, scale(low), middle + 4, "#111", 1.5),
            line(scale(high), middle - 4, scale(high), middle + 4, "#111", 1.5),
            text(WIDTH - 10, middle + 4, figure, anchor="end")]


def ratios(results):
    """Every comparison as its ratio over its bar, on a logarithmic axis; at 1 is the bar."""
    entries = [(workload, c) for workload in results["workloads"] for c in workload["comparisons"]]
    values = [c["ratio"][k] / c["bar"] for _, c in entries for k in ("min", "max")] + [0.5, 2.0]
    low, high = math.log(min(values) / 1.1), math.log(max(values) * 1.1)

    def scale(value):
        return LEFT + (math.log(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    bottom = TOP + ROW * len(entries)
    parts = []
    for row, (workload, comparison) in enumerate(entries):
        rival = comparison["rival"] or "the rate asked for"
        median, least, most = (comparison["ratio"][key] / comparison["bar"]
                               for key in ("median", "min", "max"))
        parts += bar_row(row, f"{workload['id']}  {comparison['subject']} / {rival}", median, least,
                         most, scale, COLOURS[comparison["verdict"]], f"{median:.2f} × bar")
    parts.append(line(scale(1), TOP - 8, scale(1), bottom, "#111", 1.5))
    parts.append(text(scale(1), TOP - 11, "the bar", anchor="middle"))
    parts.append(line(scale(0.5), TOP - 2, scale(0.5), bottom, "#777", 1.0, "4 3"))
    return picture("Measured ratio over the bar it must reach (median, min and max of the rounds)",
                   len(entries), parts)


def rates(workload):
    """The rates of all contestants of a workload on a linear axis."""
    contestants = workload["contestants"]
    high = max(c["rate"]["max"] for c in contestants) * 1.05

    def scale(value):
        return LEFT + value / high * (WIDTH - LEFT - RIGHT)

    subjects = {c["subject"] for c in workload["comparisons"]}
    parts = []
    for row, contestant in enumerate(contestants):
        rate = contestant["rate"]
        colour = SUBJECT if contestant["name"] in subjects else OTHER
        parts += bar_row(row, contestant["name"], rate["median"], rate["min"], rate["max"], scale,
                         colour, f"{rate['median']:,.0f}")
    title = f"{workload['id']}: {workload['title']} ({workload['unit']})"
    return picture(title, len(contestants), parts)
