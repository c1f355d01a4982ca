// Encoding, decoding, hashing and verifying one event.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "log/event_codec.h"
#include "log/format.h"
#include "log/segment.h"

namespace daybook::bench {
namespace {

constexpr std::uint64_t kSalt = 42;

// An event with a payload of so many bytes.
class SampleEvent {
 public:
  explicit SampleEvent(std::size_t payload_bytes) : payload_(payload_bytes, 'x') {
    fields_.id = EventId::NewV7();
    fields_.content_type = ContentType::kJson;
    fields_.stream = "account-9f3c0001e240";
    fields_.type = "FundsDeposited";
    fields_.data = AsBytes(payload_);
  }
  [[nodiscard]] const BodyFields& fields() const { return fields_; }

 private:
  std::string payload_;
  BodyFields fields_;
};

// Its record as it stands in a segment, at `offset()`, 8-byte aligned.
class SampleRecord {
 public:
  explicit SampleRecord(std::size_t payload_bytes) {
    const SampleEvent event(payload_bytes);
    const std::size_t body_bytes = EncodedBodyBytes(event.fields());
    words_.resize((kSegmentHeaderBytes + sizeof(RecordHeader) + body_bytes) / 8);
    std::byte* record = reinterpret_cast<std::byte*>(words_.data()) + kSegmentHeaderBytes;
    EncodeBody(event.fields(), record + sizeof(RecordHeader));
    RecordHeader header{};
    header.body_length = static_cast<std::uint32_t>(body_bytes);
    header.header_length = sizeof(RecordHeader);
    header.position = header.version = header.commit_first_position = 1;
    header.recorded_at = 1;
    header.body_hash = Hash64(std::span(record + sizeof(RecordHeader), body_bytes));
    header.header_hash = HashOf(header, kSalt);
    std::memcpy(record, &header, sizeof(header));
  }
  [[nodiscard]] std::span<const std::byte> segment() const {
    return std::as_bytes(std::span(words_));
  }
  [[nodiscard]] std::span<const std::byte> body() const {
    return segment().subspan(kSegmentHeaderBytes + sizeof(RecordHeader));
  }

 private:
  std::vector<std::uint64_t> words_;
};

std::size_t PayloadBytes(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

void EncodeOne(benchmark::State& state) {
  const SampleEvent event(PayloadBytes(state));
  std::vector<std::uint64_t> out(EncodedBodyBytes(event.fields()) / 8);
  for (auto _ : state) {
    benchmark::DoNotOptimize(EncodedBodyBytes(event.fields()));
    EncodeBody(event.fields(), reinterpret_cast<std::byte*>(out.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(EncodeOne)->Arg(64)->Arg(256)->Arg(4096);

void DecodeOne(benchmark::State& state) {
  const SampleRecord record(PayloadBytes(state));
  EventView event;
  for (auto _ : state) {
    benchmark::DoNotOptimize(DecodeBody(record.body(), &event));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(DecodeOne)->Arg(256);

void HashBytes(benchmark::State& state) {
  const std::vector<std::byte> bytes(PayloadBytes(state), std::byte{7});
  for (auto _ : state) benchmark::DoNotOptimize(Hash64(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(HashBytes)->Arg(64)->Arg(256)->Arg(4096)->Arg(1 << 20);

void VerifyRecordHeader(benchmark::State& state) {
  const SampleRecord record(256);
  for (auto _ : state) {
    const RecordHeader* header = nullptr;
    if (CheckRecordHeader(record.segment(), kSegmentHeaderBytes, kSalt, &header) != nullptr) {
      state.SkipWithError("the record is not good");
    }
    benchmark::DoNotOptimize(header);
  }
}
BENCHMARK(VerifyRecordHeader);

void NewId(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(EventId::NewV7());
}
BENCHMARK(NewId);

}  // namespace
}  // namespace daybook::bench
