"""The envelope as it ought to be written, for the tests of those who read it.

It is made here a second time, from the standard and not from the sinks' code.
"""

import base64
import json

from records import JSON


def attributes(record):
    """The attributes of the CloudEvent of an Arrived record, as text."""
    found = {"specversion": "1.0", "id": record.id, "source": f"urn:daybook:{record.incarnation}",
             "type": record.type, "subject": record.stream, "time": record.effective,
             "datacontenttype": record.content_type, "sequence": f"{record.position:020d}",
             "partitionkey": record.stream, "streamversion": str(record.version),
             "recordedtime": record.recorded}
    for name in ("correlation", "causation", "traceparent", "replay"):
        if getattr(record, name) is not None:
            found[name] = getattr(record, name)
    if record.tags:
        found["tags"] = json.dumps(record.tags, ensure_ascii=False)
    if record.metadata != "{}":
        found["metadata"] = record.metadata
    return found


def percent_encoded(text):
    """As the bindings for HTTP and NATS say: printable ASCII but blank, quote and percent stays."""
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and byte not in b'"%' else f"%{byte:02X}"
                   for byte in text.encode())


def nats_headers(record):
    return {"Nats-Msg-Id": record.dedupe_key,
            **{f"ce-{name}": percent_encoded(value)
               for name, value in attributes(record).items()}}


def kafka_headers(record):
    found = attributes(record)
    content_type = found.pop("datacontenttype")
    return [("content-type", content_type.encode()),
            *((f"ce_{name}", value.encode()) for name, value in found.items())]


def structured(record):
    """The text of the event in the JSON format; JSON data stands in it byte for byte."""
    head = json.dumps(attributes(record), ensure_ascii=False)[:-1]
    if record.content_type == JSON:
        return f'{head},"data":{record.data.decode()}}}'
    return f'{head},"data_base64":"{base64.b64encode(record.data).decode()}"}}'
