#include "compare/workload.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>
#include <utility>

#include "compare/rival.h"

namespace daybook::bench {
namespace {

constexpr std::uint64_t kSeed = 20240229;
constexpr std::size_t kPayloads = 1024;

constexpr std::array<std::string_view, 6> kCategories = {"account",  "order",    "invoice",
                                                         "customer", "shipment", "payment"};
constexpr std::array<std::string_view, 12> kTypes = {
    "AccountOpened",   "FundsDeposited",  "FundsWithdrawn",    "TransferSent",
    "OrderPlaced",     "OrderShipped",    "InvoiceIssued",     "InvoiceSettled",
    "CustomerRenamed", "ShipmentDelayed", "PaymentAuthorised", "PaymentCaptured"};

// A JSON object of exactly kPayloadBytes.
std::string Payload(std::uint64_t number) {
  const std::uint64_t a = Mix(number);
  const std::uint64_t b = Mix(a);
  std::array<char, kPayloadBytes + 1> text{};
  const int used = std::snprintf(
      text.data(), text.size(),
      R"({"entry":"%016llx%016llx","amount":%llu,"currency":"EUR","by":"clerk-%04llu","memo":")",
      static_cast<unsigned long long>(a), static_cast<unsigned long long>(b),
      static_cast<unsigned long long>(a % 1'000'000), static_cast<unsigned long long>(b % 10'000));
  std::string payload(text.data(), static_cast<std::size_t>(used));
  for (std::uint64_t word = b; payload.size() < kPayloadBytes - 2; word = Mix(word)) {
    payload += "abcdefghijklmnopqrstuvwxyz      "[word % 32];
  }
  return payload + "\"}";
}

std::uint64_t Word(std::string_view data, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, data.data() + offset, sizeof(word));
  return word;
}

}  // namespace

std::uint64_t Mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

std::string StreamName(std::uint64_t index) {
  const std::uint64_t mixed = Mix(index);
  std::array<char, 16> tail{};
  std::snprintf(tail.data(), tail.size(), "-%04x%08x", static_cast<unsigned>(mixed & 0xffff),
                static_cast<unsigned>(index));
  return std::string(kCategories[(mixed >> 32) % kCategories.size()]) + tail.data();
}

void Seen::Add(std::uint64_t version, std::string_view data) {
  ++events;
  payload_bytes += data.size();
  if (data.size() >= sizeof(std::uint64_t)) {
    sum += Word(data, 0) + 3 * Word(data, data.size() - sizeof(std::uint64_t));
  }
  sum += 7 * version;
}

std::uint64_t AmountOf(std::string_view data) {
  constexpr std::string_view kName = "\"amount\":";
  const std::size_t at = data.find(kName);
  std::uint64_t amount = 0;
  if (at == std::string_view::npos ||
      std::from_chars(data.data() + at + kName.size(), data.data() + data.size(), amount).ec !=
          std::errc()) {
    Die("a payload without an amount");
  }
  return amount;
}

Plan::Plan(const PlanOptions& options) : options_(options) {
  if (options_.events % options_.events_per_commit != 0) Die("a plan of broken commits");
  for (std::size_t i = 0; i < kPayloads; ++i) payloads_.push_back(Payload(i));
  std::vector<std::uint32_t> streams;
  PlanStreams(&streams);
  std::vector<std::uint32_t> versions(options_.streams);
  std::vector<std::uint64_t> last_commit(options_.streams);  // counted from 1
  planned_.resize(options_.events);
  for (std::uint64_t i = 0; i < options_.events; ++i) {
    const std::uint32_t stream = streams[i];
    const std::uint64_t commit = i / options_.events_per_commit + 1;
    const std::string name = StreamName(options_.first_stream + stream);
    const std::uint64_t mixed = Mix(i ^ kSeed);
    Planned& planned = planned_[i];
    if (name.size() > planned.name.size()) Die("a stream name is too long");
    std::memcpy(planned.name.data(), name.data(), name.size());
    planned.name_bytes = static_cast<std::uint8_t>(name.size());
    planned.version = ++versions[stream];
    planned.payload = static_cast<std::uint16_t>(mixed % kPayloads);
    planned.type = static_cast<std::uint8_t>((mixed >> 32) % kTypes.size());
    planned.first_of_stream_in_commit = std::exchange(last_commit[stream], commit) != commit;
  }
}

void Plan::PlanStreams(std::vector<std::uint32_t>* streams) const {
  std::mt19937_64 random(kSeed + options_.first_stream);
  streams->resize(options_.events);
  if (options_.order == Order::kRandom) {
    for (std::uint32_t& stream : *streams) {
      stream = static_cast<std::uint32_t>(random() % options_.streams);
    }
    return;
  }
  std::vector<std::uint32_t> round(options_.streams);
  std::iota(round.begin(), round.end(), 0U);
  for (std::uint64_t i = 0; i < options_.events; ++i) {
    if (i % options_.streams == 0) std::shuffle(round.begin(), round.end(), random);
    (*streams)[i] = round[i % options_.streams];
  }
}

Event Plan::At(std::uint64_t index) const {
  const Planned& planned = planned_[index];
  Event event{.stream = {planned.name.data(), planned.name_bytes},
              .type = kTypes[planned.type],
              .data = payloads_[planned.payload],
              .version = planned.version,
              .first_of_stream_in_commit = planned.first_of_stream_in_commit};
  const std::uint64_t number = index + 1;
  std::memcpy(event.id.data() + 8, &number, sizeof(number));
  return event;
}

std::map<std::string, std::uint64_t, std::less<>> Plan::ExpectedSums() const {
  std::map<std::string, std::uint64_t, std::less<>> sums;
  for (std::uint64_t i = 0; i < events(); ++i) {
    const Event event = At(i);
    auto sum = sums.find(event.stream);
    if (sum == sums.end()) sum = sums.emplace(event.stream, 0).first;
    sum->second += AmountOf(event.data);
  }
  return sums;
}

Seen Plan::Expected() const {
  Seen seen;
  for (std::uint64_t i = 0; i < events(); ++i) {
    const Event event = At(i);
    seen.Add(event.version, event.data);
  }
  return seen;
}

std::vector<std::uint64_t> Plan::ByStream() const {
  std::vector<std::uint64_t> order(events());
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  std::sort(order.begin(), order.end(), [this](std::uint64_t a, std::uint64_t b) {
    const Event x = At(a);
    const Event y = At(b);
    return x.stream != y.stream ? x.stream < y.stream : x.version < y.version;
  });
  return order;
}

}  // namespace daybook::bench
