// The sink for NATS JetStream: events become messages of one JetStream stream.
//
// What it guarantees, with one publisher for a JetStream stream and nobody else who publishes into
// it: after any kill of the publisher or of the broker nothing is lost, doubled or out of order, in
// the order of the store over all streams of it. It rests on what the broker keeps when it says
// that it has a message (below).
//
// How. Publishes are pipelined, and a retry of a single message would reorder them. So each message
// says which one must stand before it: `Nats-Expected-Last-Msg-Id` is the id of the one sent before
// it, and the first of a session says `Nats-Expected-Last-Sequence`. When one is refused or lost,
// the broker refuses all behind it, also those that were on their way on an older connection; the
// session ends, and the next one begins behind the last message that the stream holds. Both headers
// are JetStream's own (https://docs.nats.io/nats-concepts/jetstream/headers); an append on the
// condition of what stands last is the optimistic concurrency control of Kung and Robinson (1981).
//
// What the broker must be set to, so that an acknowledgement means what it says:
//   - sync_interval: always (nats-server 2.10 and later), or three replicas on machines that do
//     not lose power together. One server with its default syncs every two minutes: it survives
//     its own kill, and loses up to that when the machine dies.
//   - A stream of the publisher's own, whose subjects cover the template, with discard: new where
//     it has limits, so that a full stream refuses instead of forgetting. Where its retention takes
//     the last message away, a resumed publisher sends again what it had not noted yet, and only
//     the window of duplicates stands against that.
//   - duplicate_window at its default of two minutes, or more.
//
// A message: the subject from the template; `Nats-Msg-Id` is the event's dedupe key; the envelope
// in the binary mode of CloudEvents (headers `ce-<name>`, and `content-type` beside
// ce-datacontenttype); the event's data as it is. A duplicate, where one ever shows, has the same
// Nats-Msg-Id.

#ifndef DAYBOOK_NATS_SINK_H_
#define DAYBOOK_NATS_SINK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "daybook/sink.h"

namespace daybook {

// Of the settings it takes
//   url               nats://host[:port][,host[:port]...][/STREAM], or tls://... Without STREAM the
//                     one that listens for the subjects of the template is looked up, at every
//                     Begin(). List several servers of a cluster: others are not looked for. A URL
//                     with a user in it is refused.
//   destination       the subject; empty: ledger.{category}.{type}. Fields are made tokens.
//   headers           name, and template of the value; percent-encoded as the envelope's are.
//   tls_*_file        with any of them, or by tls://, the connection is by TLS: the certificate
//                     must be good and for the host of the URL. Without a CA the system's are
//                     taken.
//   credentials_file  a .creds file (a JWT and its seed). Without it a user or a token comes from
//                     the environment: DAYBOOK_NATS_USER and DAYBOOK_NATS_PASSWORD, or
//                     DAYBOOK_NATS_TOKEN.
//   options           domain: JetStream's domain. inbox_prefix: of the subjects on which answers
//                     come, for users that may not subscribe to _INBOX.>.
//   timeout           of a connection, of a request, of an acknowledgement.
// and refuses `key` and `unordered`, which mean nothing here: the stream keeps its order by itself.
//
// Opens without connecting: kInvalidArgument is all that can be wrong with the settings, files and
// environment included.
absl::StatusOr<std::unique_ptr<Sink>> OpenNatsSink(const SinkSettings& settings);

}  // namespace daybook

#endif  // DAYBOOK_NATS_SINK_H_
