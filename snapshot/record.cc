#include "snapshot/record.h"

#include <cstring>
#include <span>

#include "base/checksum.h"
#include "daybook/event.h"

namespace daybook {
namespace {

template <class T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

template <class T>
std::uint64_t HashOf(const T& value, std::string_view key, std::string_view rest) {
  Hasher64 hasher(Hash64(AsBytes(key)));
  hasher.Update(BytesOf(value).first(offsetof(T, hash)));
  hasher.Update(AsBytes(rest));
  return hasher.Digest();
}

void AppendBigEndian(std::string* out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) out->push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t BigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

}  // namespace

std::string OwnerValue(const EventId::Bytes& incarnation) {
  StoredOwner owner{
      .format = kSnapshotFormat, .reserved = 0, .incarnation = incarnation, .hash = 0};
  owner.hash = HashOf(owner, kOwnerKey, {});
  return std::string(AsText(BytesOf(owner)));
}

std::optional<EventId::Bytes> OwnerOf(std::string_view value) {
  StoredOwner owner;
  if (value.size() != sizeof owner) return std::nullopt;
  std::memcpy(&owner, value.data(), sizeof owner);
  if (owner.hash != HashOf(owner, kOwnerKey, {}) || owner.format != kSnapshotFormat) {
    return std::nullopt;
  }
  return owner.incarnation;
}

// No name has a zero byte, so that the order of the keys is that of the names.
std::string SeriesPrefix(const SeriesName& name) {
  std::string prefix(name.stream);
  prefix.push_back('\0');
  prefix.append(name.fold);
  prefix.push_back('\0');
  AppendBigEndian(&prefix, name.revision, kRevisionBytes);
  return prefix;
}

std::string StreamPrefix(std::string_view stream) {
  std::string prefix(stream);
  if (!stream.empty()) prefix.push_back('\0');
  return prefix;
}

std::string SnapshotKey(std::string_view series_prefix, std::uint64_t version) {
  std::string key(series_prefix);
  AppendBigEndian(&key, version, kVersionBytes);
  return key;
}

std::optional<KeyParts> PartsOf(std::string_view key) {
  const std::size_t stream_end = key.find('\0');
  if (stream_end == std::string_view::npos) return std::nullopt;
  const std::size_t fold_end = key.find('\0', stream_end + 1);
  if (fold_end == std::string_view::npos) return std::nullopt;
  const std::string_view numbers = key.substr(fold_end + 1);
  if (numbers.size() != kRevisionBytes + kVersionBytes) return std::nullopt;
  KeyParts parts;
  parts.name.stream = key.substr(0, stream_end);
  parts.name.fold = key.substr(stream_end + 1, fold_end - stream_end - 1);
  parts.name.revision = static_cast<std::uint32_t>(BigEndian(numbers.substr(0, kRevisionBytes)));
  parts.version = BigEndian(numbers.substr(kRevisionBytes));
  return parts;
}

std::string SnapshotValue(std::string_view key, const SnapshotPlace& place,
                          std::string_view state) {
  StoredSnapshot stored{.format = kSnapshotFormat,
                        .reserved = 0,
                        .incarnation = place.incarnation,
                        .position = place.position,
                        .version = BigEndian(key.substr(key.size() - kVersionBytes)),
                        .frame_hash = place.frame_hash,
                        .state_bytes = state.size(),
                        .hash = 0};
  stored.hash = HashOf(stored, key, state);
  std::string value;
  value.reserve(sizeof stored + state.size());
  value.append(AsText(BytesOf(stored)));
  value.append(state);
  return value;
}

std::optional<SnapshotParts> SnapshotOf(std::string_view key, std::string_view value) {
  StoredSnapshot stored;
  const std::optional<KeyParts> parts = PartsOf(key);
  if (!parts || value.size() < sizeof stored) return std::nullopt;
  std::memcpy(&stored, value.data(), sizeof stored);
  const std::string_view state = value.substr(sizeof stored);
  const bool good = stored.format == kSnapshotFormat && stored.version == parts->version &&
                    stored.state_bytes == state.size() && stored.hash == HashOf(stored, key, state);
  if (!good) return std::nullopt;
  return SnapshotParts{{stored.incarnation, stored.position, stored.frame_hash}, state};
}

SnapshotInfo InfoOf(std::string_view key, std::string_view value) {
  SnapshotInfo info;
  if (const std::optional<KeyParts> parts = PartsOf(key)) {
    info.stream = parts->name.stream;
    info.fold = parts->name.fold;
    info.revision = parts->name.revision;
    info.version = Version(parts->version);
  }
  if (const std::optional<SnapshotParts> snapshot = SnapshotOf(key, value)) {
    info.position = Position(snapshot->place.position);
    info.bytes = snapshot->state.size();
  }
  return info;
}

}  // namespace daybook
