#!/usr/bin/env python3
"""Bad input: the good lines before it are in, and file, line and field are named."""

import gzip
import json
import os
import signal
import subprocess
import time

from support import BINARY, cases, check, equal, main, read, run


def good(number):
    line = {"stream": f"s-{number % 3}", "type": "T", "time": "2020-01-01T00:00:00Z",
            "data": number}
    return json.dumps(line).encode()


BAD_LINES = {
    b"nonsense": "not a JSON object",
    b'{"stream":"a","type":"T","data":01}': "not JSON",
    b'{"stream":"a","type":"T","stream":"b"}': "`stream`",
    b'{"stream":"a\xff","type":"T"}': "UTF-8",
    b'{"stream":"a","type":"T","data":"\0"}': "NUL",
    b'["stream"]': "object",
    b'{"type":"T","data":1}': "`stream`",
    b'{"stream":"a","data":1}': "`type`",
    b'{"stream":7,"type":"T"}': "`stream`",
    b'{"stream":"a","type":"T","time":"2020-01-01"}': "`time`",
    b'{"stream":"a","type":"T","time":"2020-01-01T00:00:60Z"}': "`time`",
    b'{"stream":"a","type":"T","time":"2020-02-30T00:00:00Z"}': "`time`",
    b'{"stream":"a","type":"T","tags":"x"}': "`tags`",
    b'{"stream":"a","type":"T","tags":["x","x"]}': "tag",
    b'{"stream":"a","type":"T","metadata":7}': "`metadata`",
    b'{"stream":"a","type":"T","id":"7"}': "`id`",
    b'{"stream":"a","type":"T","data":1,"data_base64":""}': "data_base64",
    b'{"stream":"-a","type":"T"}': "stream",
    b'{"stream":"$store","type":"T"}': "stream",
    b'{"stream":"a\\u0000","type":"T"}': "stream",
    b'{"stream":"' + b"a" * 256 + b'","type":"T"}': "stream",
    b'{"stream":"a","type":"T","data":"' + b"x" * (16 << 20) + b'"}': "16",
    b'{"stream":"a","type":"T","data":"' + b"x" * (33 << 20) + b'"}': "32 MiB",
}


def a_bad_line_ends_it_and_the_lines_before_are_in(folder):
    for number, (bad, word) in enumerate(BAD_LINES.items()):
        path = folder / f"{number}.ndjson"
        path.write_bytes(b"\n".join([good(1), good(2), b"", bad, good(3)]))
        result = run("import", folder / f"s{number}", path, code=1)
        error = result.error()
        equal(error["detail"], {"file": str(path), "line": 4}, bad[:80])
        check(word in error["message"] and f"{path}:4" in error["message"], word, result)
        counts = result.json()
        equal((counts["events"], counts["skipped"], counts["position"]), (2, 0, 2), result)
        equal([event["data"] for event in read(folder / f"s{number}")], [1, 2])


def bad_lines_are_counted_and_passed_over_where_asked(folder):
    lines = []
    for number, bad in enumerate(BAD_LINES):
        lines += [good(number), bad]
    (folder / "in").write_bytes(b"\n".join(lines))
    counts = run("import", folder / "s", folder / "in", "--on-error", "skip", "--batch", 5).json()
    equal((counts["events"], counts["skipped"]), (len(BAD_LINES), len(BAD_LINES)))
    equal([event["data"] for event in read(folder / "s")], list(range(len(BAD_LINES))))
    again = run("import", folder / "s", folder / "in", "--on-error", "skip").json()
    equal((again["events"], again["skipped"], again["duplicates"]),
          (0, len(BAD_LINES), len(BAD_LINES)))


def an_id_used_with_other_content_names_its_line(folder):
    line = ('{"stream":"a","type":"T","time":"2020-01-01T00:00:00Z","data":%d,'
            '"id":"018f3c5e-0000-7000-8000-00000000000a"}')
    text = b"\n".join([good(1), (line % 5).encode(), good(2), (line % 6).encode(), good(3)])
    for batch in [1, 2, 1000]:
        store = folder / f"s{batch}"
        result = run("import", store, "-", "--batch", batch, stdin=text, code=2)
        error = result.error()
        equal((error["code"], error["detail"]["line"]), ("already_exists", 4))
        equal([event["data"] for event in read(store)], [1, 5, 2])
        result = run("import", store, "-", "--on-error", "skip", "--batch", batch, stdin=text)
        counts = result.json()
        equal((counts["events"], counts["duplicates"], counts["skipped"]), (1, 3, 1))


def a_file_that_is_cut_short_gives_what_it_has(folder):
    packed = gzip.compress(b"\n".join(good(number) for number in range(50_000)))
    path = folder / "cut.gz"
    path.write_bytes(packed[:len(packed) // 2])
    result = run("import", folder / "s", path, code=1)
    check("cut short" in result.error()["message"], result)
    counts = result.json()
    check(10_000 < counts["events"] < 40_000, result)
    equal([event["data"] for event in read(folder / "s")], list(range(counts["events"])))


def csv_names_the_line_where_the_record_begins(folder):
    text = 'stream,type,data\na,T,1\na,T,"[1,\n2]"\na,T,{\n'
    result = run("import", folder / "s", "-", "--format", "csv", stdin=text.encode(), code=1)
    equal(result.error()["detail"], {"file": "standard input", "line": 5})
    equal([event["data"] for event in read(folder / "s")], [1, [1, 2]])


def an_interrupt_ends_it_cleanly_and_running_it_again_goes_on(folder):
    lines = [good(number) for number in range(60_000)]
    process = subprocess.Popen([BINARY, "import", folder / "s", "-", "--batch", "100"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdin.write(b"\n".join(lines[:50_000]) + b"\n")
    process.stdin.flush()
    while not (folder / "s" / "log").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    equal(process.returncode, 130, err)
    counts = json.loads(out)
    equal(len(read(folder / "s")), counts["events"])
    equal(run("verify", folder / "s").json()["ok"], True)
    counts = run("import", folder / "s", "-", stdin=b"\n".join(lines)).json()
    equal(counts["position"], len(lines))
    equal([event["data"] for event in read(folder / "s")], list(range(len(lines))))


def a_closed_pipe_ends_quietly(folder):
    run("import", folder / "s", "-", stdin=b"\n".join(good(number) for number in range(20_000)))
    reading, writing = os.pipe()
    process = subprocess.Popen([BINARY, "read", folder / "s"], stdout=writing,
                               stderr=subprocess.PIPE)
    os.close(writing)
    os.read(reading, 100)
    os.close(reading)
    _, err = process.communicate(timeout=60)
    equal((process.returncode, err), (0, b""))


if __name__ == "__main__":
    main(cases(
        a_bad_line_ends_it_and_the_lines_before_are_in,
        bad_lines_are_counted_and_passed_over_where_asked,
        an_id_used_with_other_content_names_its_line,
        a_file_that_is_cut_short_gives_what_it_has,
        csv_names_the_line_where_the_record_begins,
        an_interrupt_ends_it_cleanly_and_running_it_again_goes_on,
        a_closed_pipe_ends_quietly,
    ))
