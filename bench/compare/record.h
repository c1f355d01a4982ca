// An event as bytes, for rivals that know keys and values only: as plain, and as quick to make, as
// can be.

#ifndef DAYBOOK_BENCH_COMPARE_RECORD_H_
#define DAYBOOK_BENCH_COMPARE_RECORD_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "compare/workload.h"

namespace daybook::bench {

struct RecordFields {
  std::uint64_t version;
  std::int64_t recorded_at;
  std::int64_t effective_at;
  std::array<std::uint8_t, 16> id;
  std::uint8_t stream_bytes;
  std::uint8_t type_bytes;
  std::uint16_t content_type;
  std::uint32_t data_bytes;
};

// Fields, stream, type, data.
inline void EncodeRecord(const Event& event, std::int64_t recorded_at, std::string* out) {
  const RecordFields fields{.version = event.version,
                            .recorded_at = recorded_at,
                            .effective_at = 0,
                            .id = event.id,
                            .stream_bytes = static_cast<std::uint8_t>(event.stream.size()),
                            .type_bytes = static_cast<std::uint8_t>(event.type.size()),
                            .content_type = 1,
                            .data_bytes = static_cast<std::uint32_t>(event.data.size())};
  out->assign(reinterpret_cast<const char*>(&fields), sizeof(fields));
  out->append(event.stream);
  out->append(event.type);
  out->append(event.data);
}

inline void AddRecord(std::string_view record, Seen* seen) {
  RecordFields fields{};
  std::memcpy(&fields, record.data(), sizeof(fields));
  seen->Add(fields.version, record.substr(sizeof(fields) + fields.stream_bytes + fields.type_bytes,
                                          fields.data_bytes));
}

// Big-endian, so that keys sort as numbers.
inline void AppendBigEndian(std::uint64_t number, std::string* out) {
  const std::uint64_t swapped = __builtin_bswap64(number);
  out->append(reinterpret_cast<const char*>(&swapped), sizeof(swapped));
}

// Stream, a zero byte (no name holds one), version.
inline void EncodeStreamKey(const Event& event, std::string* out) {
  out->assign(event.stream);
  out->push_back('\0');
  AppendBigEndian(event.version, out);
}

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_COMPARE_RECORD_H_
