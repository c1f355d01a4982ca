# The body of an event in the log of a Daybook store: a Cap'n Proto message of one segment without
# framing, the root pointer first, in canonical form. Any Cap'n Proto implementation reads it
# ("flat" or "unframed" words).
#
# Reserved for later versions, by name: protectionOfData and protectionOfMetadata {scheme, keyId,
# nonce, authTag}, and schemaVersion. Hashes cover the bytes that are stored, never the plaintext.
@0xd9a1f0b5c3e27a64;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("daybook::event");

struct Event {
  idHigh @0 :UInt64;        # bytes 0 to 7 of the UUID, as a big-endian number
  idLow @1 :UInt64;         # bytes 8 to 15
  effectiveAt @2 :Int64;    # ns since 1970-01-01 UTC; -2^63: not given, recorded_at holds
  contentType @3 :UInt16;   # 0 octet-stream, 1 JSON, 2 Cap'n Proto, 3 Protobuf, 65535: as
                            # contentTypeText says
  stream @4 :Text;
  type @5 :Text;
  data @6 :Data;
  metadata @7 :Text;        # a JSON object, byte for byte as given; empty: none
  tags @8 :List(Text);      # sorted bytewise, none twice
  contentTypeText @9 :Text; # a media type
}
