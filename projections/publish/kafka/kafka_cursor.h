// The cursor that stands in the broker: the last message with the publisher's transactional id as
// its key in partition 0 of a compacted topic, written in the transaction whose events it is about.
//
//   {"format":1,"incarnation":"...","line":17,"aside":3,"replay":"...","dedupe_key":"..."}
//
// `aside` and `replay` only where BrokerMark has them. It is always partition 0, so that partitions
// which somebody adds do not hide it.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_CURSOR_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_CURSOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "projections/publish/kafka/kafka_producer.h"

namespace daybook {

inline constexpr std::int32_t kCursorPartition = 0;

std::string EncodeKafkaCursor(const BrokerMark& mark, std::string_view dedupe_key);
// kFailedPrecondition where it is something else, or of a newer format.
absl::StatusOr<BrokerMark> DecodeKafkaCursor(std::string_view text);

// Makes the cursor topic where it is missing, and looks that it keeps what is written to it.
absl::StatusOr<KafkaTopic*> FindCursorTopic(KafkaProducer* producer, const KafkaSettings& settings);

// The cursor of this transactional id; nullopt: there is none. Everything that was committed before
// the call is seen.
absl::StatusOr<std::optional<BrokerMark>> ReadKafkaCursor(const KafkaSettings& settings,
                                                          std::string_view transactional_id);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_KAFKA_KAFKA_CURSOR_H_
