// The bytes of snapshots/, as docs/format/snapshots.md gives them.

#include "snapshot/record.h"

#include <string>

#include "base/checksum.h"
#include "daybook/event.h"
#include "daybook/fold.h"
#include "kv/environment.h"
#include "tests/catch.h"

namespace daybook {
namespace {

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text.push_back(kDigits[value >> 4]);
    text.push_back(kDigits[value & 15]);
  }
  return text;
}

EventId::Bytes Incarnation() {
  return EventId::Parse("00112233-4455-6677-8899-aabbccddeeff")->bytes();
}

const SnapshotPlace kPlace{Incarnation(), 0x0807060504030201, 0xF0E0D0C0B0A09080};

TEST_CASE("the bytes of a snapshot are those of the format's page", "[record]") {
  const std::string series = SeriesPrefix({"account-42", "sum:cents", 3});
  const std::string key = SnapshotKey(series, 1000);
  CHECK(Hex(key) ==
        "6163636f756e742d3432"  // account-42
        "00"
        "73756d3a63656e7473"  // sum:cents
        "00"
        "00000003"
        "00000000000003e8");
  const std::string value = SnapshotValue(key, kPlace, "12.50");
  REQUIRE(value.size() == 64 + 5);
  CHECK(Hex(value.substr(0, 56)) ==
        "01000000"
        "00000000"
        "00112233445566778899aabbccddeeff"
        "0102030405060708"
        "e803000000000000"
        "8090a0b0c0d0e0f0"
        "0500000000000000");
  CHECK(value.substr(64) == "12.50");
  // By hand: XXH3-64 of the first 56 bytes and the state, seeded with that of the key.
  const std::uint64_t hash = Hash64(AsBytes(value.substr(0, 56) + "12.50"), Hash64(AsBytes(key)));
  std::string stored(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) stored[i] = static_cast<char>(hash >> (8 * i));
  CHECK(Hex(value.substr(56, 8)) == Hex(stored));
  CHECK(Hex(stored) == "ba8ec3045c441582");

  const std::string owner = OwnerValue(Incarnation());
  CHECK(Hex(owner.substr(0, 24)) ==
        "0100000000000000"
        "00112233445566778899aabbccddeeff");
  CHECK(OwnerOf(owner) == Incarnation());
}

TEST_CASE("what was written is read back, and keys are taken apart", "[record]") {
  const std::string key = SnapshotKey(SeriesPrefix({"s", "f", 0xFFFFFFFF}), kCountMax);
  const std::string value = SnapshotValue(key, kPlace, "");
  const auto snapshot = SnapshotOf(key, value);
  REQUIRE(snapshot.has_value());
  CHECK(snapshot->place.position == kPlace.position);
  CHECK(snapshot->place.frame_hash == kPlace.frame_hash);
  CHECK(snapshot->place.incarnation == kPlace.incarnation);
  CHECK(snapshot->state.empty());
  const auto parts = PartsOf(key);
  REQUIRE(parts.has_value());
  CHECK(parts->name.stream == "s");
  CHECK(parts->name.fold == "f");
  CHECK(parts->name.revision == 0xFFFFFFFF);
  CHECK(parts->version == kCountMax);
  for (std::size_t bytes = 0; bytes < key.size(); ++bytes) {
    CHECK_FALSE(PartsOf(key.substr(0, bytes)).has_value());
  }
  CHECK_FALSE(PartsOf(key + "x").has_value());
}

TEST_CASE("a value is good only where it stands, and only as it was written", "[record]") {
  const std::string series = SeriesPrefix({"s", "f", 1});
  const std::string key = SnapshotKey(series, 7);
  const std::string value = SnapshotValue(key, kPlace, "a state");
  REQUIRE(SnapshotOf(key, value).has_value());
  for (const SeriesName& other :
       {SeriesName{"t", "f", 1}, SeriesName{"s", "g", 1}, SeriesName{"s", "f", 2}}) {
    CHECK_FALSE(SnapshotOf(SnapshotKey(SeriesPrefix(other), 7), value).has_value());
  }
  CHECK_FALSE(SnapshotOf(SnapshotKey(series, 8), value).has_value());
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    std::string flipped = value;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(SnapshotOf(key, flipped).has_value());
  }
  for (std::size_t bytes = 0; bytes < value.size(); ++bytes) {
    CHECK_FALSE(SnapshotOf(key, value.substr(0, bytes)).has_value());
  }
  const std::string owner = OwnerValue(Incarnation());
  for (std::size_t bit = 0; bit < owner.size() * 8; ++bit) {
    std::string flipped = owner;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(OwnerOf(flipped).has_value());
  }
}

TEST_CASE("keys are in order of stream, fold, revision and version, and the longest fits",
          "[record]") {
  const auto key = [](std::string_view stream, std::string_view fold, std::uint32_t revision,
                      std::uint64_t version) {
    return SnapshotKey(SeriesPrefix({stream, fold, revision}), version);
  };
  const std::vector<std::string> keys = {
      key("a", "f", 1, 2),  key("a", "f", 1, 256), key("a", "f", 256, 1), key("a", "f:x", 1, 1),
      key("a ", "f", 1, 1), key("aa", "a", 1, 1),  key("b", "f", 1, 1)};
  for (std::size_t i = 1; i < keys.size(); ++i) CHECK(keys[i - 1] < keys[i]);
  CHECK(key(std::string(kNameBytesMax, 's'), std::string(kFoldIdBytesMax, 'f'), 1, 1).size() <=
        kKeyBytesMax);
}

}  // namespace
}  // namespace daybook
