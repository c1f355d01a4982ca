// Publishing to Apache Kafka, by librdkafka.
//
// URL          kafka://HOST:PORT[,HOST:PORT...]       the port is 9092 where none is named
//              kafka+tls://...                        by TLS, the server's certificate checked
// destination  the topic: `ledger.{category}` where empty. It must exist.
// key          `{stream}` where empty
// headers      beside ce_*, content-type and daybook-dedupe-key
//
// TLS is also on where one of tls_ca_file, tls_certificate_file and tls_key_file is given; without
// tls_ca_file the system's authorities are trusted. The name of the broker is checked too.
//
// Options:
//   mode             transactional (the default) or idempotent
//   name             of the publisher: a part of the transactional id; the topic's template where
//                    it is not given
//   cursor-topic     where the cursor stands; daybook.cursors
//   sasl-mechanism   PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
//   compression      none, gzip, snappy, lz4 (the default) or zstd
//   commit-ms        how long a transaction may stay open; 200
//
// Credentials: DAYBOOK_KAFKA_USERNAME and DAYBOOK_KAFKA_PASSWORD of the environment, by SASL; or
// credentials_file, a file of lines `name=value` with librdkafka's properties that begin with
// `sasl.`, `ssl.` or `security.`. A URL with a user in it is refused.
//
// What is guaranteed:
//   transactional  0 lost, 0 twice, 0 reordered for consumers that read committed messages only,
//                  whatever is killed. The cursor is a message of the same transaction, in a
//                  compacted topic, as Kafka Connect does it. Consumers see an event once its
//                  transaction is committed.
//   idempotent     0 lost, and in order per key once repeats are dropped. What was on its way when
//                  the publisher or the broker was killed may come twice.
// Both hold for what the broker keeps: acks=all is set here, min.insync.replicas and the topic's
// replication are the broker's to set. With one replica an acknowledgement is one page cache.
//
// A broker must let the publisher: write to the topics; in transactional mode write and describe
// the transactional id `daybook-<incarnation>-<name>`, and read, write and (where it is missing)
// create the cursor topic. It asks for the topics' limits, and does without where that is denied.

#ifndef DAYBOOK_KAFKA_SINK_H_
#define DAYBOOK_KAFKA_SINK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "daybook/sink.h"

namespace daybook {

// Opens nothing yet: Begin() connects. kInvalidArgument: a setting that makes no sense, with its
// name; kNotFound: a file that is named and not there.
absl::StatusOr<std::unique_ptr<Sink>> OpenKafkaSink(const SinkSettings& settings);

}  // namespace daybook

#endif  // DAYBOOK_KAFKA_SINK_H_
