// The tables of a projection's read model: typed keys in their order, and typed rows.
//
//   inline constexpr daybook::Table<std::string, Balance> kBalances{"balances"};
//
//   auto row = kBalances.Get(context, "account-42");     // a StatusOr<optional<Balance>>
//   kBalances.Put(context, "account-42", balance);
//   kBalances.Scan(snapshot, daybook::KeyRange::From("b"), [](const auto& key, const auto& row) {
//     ...;
//     return true;  // go on
//   });
//
// A key is an integer, an enum, a bool, a text, a Position, Version, Timestamp or EventId, or a
// std::pair or std::tuple of those; its bytes sort as its values do, field by field. Other types
// get a KeyCodec of their own. Encoded, a key has at most kTableKeyBytesMax bytes.
//
// A row is a number, an enum, a std::string, a trivially copyable struct without padding, or a
// class with
//
//   void Save(std::string& out) const;
//   static absl::StatusOr<Row> Restore(std::string_view bytes);
//
// The same row has the same bytes, always: the digests of a read model rest on it.

#ifndef DAYBOOK_TABLES_H_
#define DAYBOOK_TABLES_H_

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/values.h"

namespace daybook {

inline constexpr std::size_t kTableKeyBytesMax = 511;
// The longest name of a table: lower-case letters, digits and `_`.
inline constexpr std::size_t kTableNameBytesMax = 64;
inline constexpr std::size_t kTablesMax = 64;

// How a key becomes bytes. A codec of one's own has the same two functions, and keeps the order:
// Encode appends; Decode takes from the front of `in`, and says whether it could.
template <class T>
struct KeyCodec;

// All that is an integer to the machine: big-endian, with the sign bit turned over.
template <class T>
requires std::integral<T> || std::is_enum_v<T>
struct KeyCodec<T> {
  static void Encode(T value, std::string& out) {
    std::uint64_t bits = static_cast<std::uint64_t>(value);
    if constexpr (std::is_signed_v<Integer>) bits ^= std::uint64_t{1} << (8 * sizeof(T) - 1);
    for (std::size_t i = sizeof(T); i-- > 0;) out.push_back(static_cast<char>(bits >> (8 * i)));
  }
  static bool Decode(std::string_view& in, T* value) {
    if (in.size() < sizeof(T)) return false;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bits = bits << 8 | static_cast<unsigned char>(in[i]);
    if constexpr (std::is_signed_v<Integer>) bits ^= std::uint64_t{1} << (8 * sizeof(T) - 1);
    in.remove_prefix(sizeof(T));
    *value = static_cast<T>(bits);
    return true;
  }

 private:
  template <class U>
  struct Self {
    using type = U;
  };
  using Integer =
      typename std::conditional_t<std::is_enum_v<T>, std::underlying_type<T>, Self<T>>::type;
};

// A text ends with two zero bytes, and a zero byte in it is followed by 0xFF, so that a shorter one
// sorts before a longer one whatever comes behind it.
template <>
struct KeyCodec<std::string> {
  static void Encode(std::string_view value, std::string& out) {
    out.reserve(out.size() + value.size() + 2);
    for (std::size_t at; (at = value.find('\0')) != std::string_view::npos;) {
      out.append(value.substr(0, at)).append("\0\xFF", 2);
      value.remove_prefix(at + 1);
    }
    out.append(value).append(2, '\0');
  }
  static bool Decode(std::string_view& in, std::string* value) {
    value->clear();
    for (std::size_t at; (at = in.find('\0')) != std::string_view::npos && at + 1 < in.size();) {
      const char next = in[at + 1];
      value->append(in.substr(0, at));
      in.remove_prefix(at + 2);
      if (next == '\0') return true;
      if (next != '\xFF') return false;
      value->push_back('\0');
    }
    return false;
  }
};

// Those of Daybook's values that are one number.
template <class T>
requires std::same_as<T, Position> || std::same_as<T, Version>
struct KeyCodec<T> {
  static void Encode(T value, std::string& out) {
    KeyCodec<std::uint64_t>::Encode(value.value(), out);
  }
  static bool Decode(std::string_view& in, T* value) {
    std::uint64_t number = 0;
    if (!KeyCodec<std::uint64_t>::Decode(in, &number)) return false;
    *value = T(number);
    return true;
  }
};
template <>
struct KeyCodec<Timestamp> {
  static void Encode(Timestamp value, std::string& out) {
    KeyCodec<std::int64_t>::Encode(value.unix_nanoseconds(), out);
  }
  static bool Decode(std::string_view& in, Timestamp* value) {
    std::int64_t nanoseconds = 0;
    if (!KeyCodec<std::int64_t>::Decode(in, &nanoseconds)) return false;
    *value = Timestamp(nanoseconds);
    return true;
  }
};
template <>
struct KeyCodec<EventId> {
  static void Encode(const EventId& value, std::string& out) {
    out.append(reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size());
  }
  static bool Decode(std::string_view& in, EventId* value) {
    EventId::Bytes bytes;
    if (in.size() < bytes.size()) return false;
    std::memcpy(bytes.data(), in.data(), bytes.size());
    in.remove_prefix(bytes.size());
    *value = EventId(bytes);
    return true;
  }
};

template <class A, class B>
struct KeyCodec<std::pair<A, B>> {
  static void Encode(const std::pair<A, B>& value, std::string& out) {
    KeyCodec<A>::Encode(value.first, out);
    KeyCodec<B>::Encode(value.second, out);
  }
  static bool Decode(std::string_view& in, std::pair<A, B>* value) {
    return KeyCodec<A>::Decode(in, &value->first) && KeyCodec<B>::Decode(in, &value->second);
  }
};

template <class... Parts>
struct KeyCodec<std::tuple<Parts...>> {
  static void Encode(const std::tuple<Parts...>& value, std::string& out) {
    std::apply([&](const Parts&... part) { (KeyCodec<Parts>::Encode(part, out), ...); }, value);
  }
  static bool Decode(std::string_view& in, std::tuple<Parts...>* value) {
    return std::apply([&](Parts&... part) { return (KeyCodec<Parts>::Decode(in, &part) && ...); },
                      *value);
  }
};

template <class T>
concept TableKey = requires(const T& value, T* result, std::string& out, std::string_view& in) {
  KeyCodec<T>::Encode(value, out);
  { KeyCodec<T>::Decode(in, result) } -> std::same_as<bool>;
};

// How a row becomes bytes.
template <class T>
struct RowCodec;

template <class T>
concept SavedRow = requires(const T& row, std::string& out, std::string_view bytes) {
  row.Save(out);
  { T::Restore(bytes) } -> std::same_as<absl::StatusOr<T>>;
};

// As it stands in memory, little-endian. Padding has no value of its own, so it would make digests
// differ: fill it with fields, or give the type Save and Restore.
template <class T>
requires std::is_trivially_copyable_v<T> &&
    (!SavedRow<T>)&&(std::has_unique_object_representations_v<T> ||
                     std::floating_point<T>)struct RowCodec<T> {
  static_assert(std::endian::native == std::endian::little);
  static void Encode(const T& row, std::string& out) {
    out.append(reinterpret_cast<const char*>(&row), sizeof row);
  }
  static absl::StatusOr<T> Decode(std::string_view bytes) {
    if (bytes.size() != sizeof(T))
      return absl::DataLossError("a row has another size than its type");
    std::array<std::byte, sizeof(T)> copy;
    std::memcpy(copy.data(), bytes.data(), sizeof(T));
    return std::bit_cast<T>(copy);
  }
};
template <>
struct RowCodec<std::string> {
  static void Encode(std::string_view row, std::string& out) { out.append(row); }
  static absl::StatusOr<std::string> Decode(std::string_view bytes) { return std::string(bytes); }
};
template <SavedRow T>
struct RowCodec<T> {
  static void Encode(const T& row, std::string& out) { row.Save(out); }
  static absl::StatusOr<T> Decode(std::string_view bytes) { return T::Restore(bytes); }
};

template <class T>
concept TableRow = requires(const T& row, std::string& out, std::string_view bytes) {
  RowCodec<T>::Encode(row, out);
  { RowCodec<T>::Decode(bytes) } -> std::same_as<absl::StatusOr<T>>;
};

// The bytes of a key.
template <TableKey Key>
std::string EncodeKey(const Key& key) {
  std::string bytes;
  KeyCodec<Key>::Encode(key, bytes);
  return bytes;
}

// Which rows a scan visits, in the order of their keys. Bounds are inclusive. The keys that it is
// given must be of the table's type (a `const char*` stands for a std::string): the bytes are
// compared, whatever they mean.
class KeyRange {
 public:
  static KeyRange All() { return {}; }
  template <class Key>
  static KeyRange From(const Key& first) {
    KeyRange range;
    range.first_ = Bytes(first);
    return range;
  }
  template <class Key>
  static KeyRange Between(const Key& first, const Key& last) {
    KeyRange range = From(first);
    range.last_ = Bytes(last);
    return range;
  }
  // The keys whose first fields are these.
  template <class... Fields>
  static KeyRange Prefix(const Fields&... fields) {
    KeyRange range;
    (range.first_.append(Bytes(fields)), ...);
    range.prefix_ = range.first_;
    return range;
  }
  // At most so many rows.
  [[nodiscard]] KeyRange Limit(std::uint64_t rows) const {
    KeyRange range = *this;
    range.limit_ = rows;
    return range;
  }

  [[nodiscard]] const std::string& first() const { return first_; }  // empty: the first of all
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  // Whether a key that is not below first() belongs to it; once one does not, none behind it does.
  [[nodiscard]] bool Reaches(std::string_view key) const {
    return key.starts_with(prefix_) && (!last_ || key <= *last_);
  }

 private:
  template <class Key>
  static std::string Bytes(const Key& key) {
    if constexpr (std::is_convertible_v<const Key&, std::string_view>) {
      std::string bytes;
      KeyCodec<std::string>::Encode(key, bytes);
      return bytes;
    } else {
      return EncodeKey(key);
    }
  }

  std::string first_, prefix_;
  std::optional<std::string> last_;
  std::uint64_t limit_ = UINT64_MAX;
};

// What can be read of tables, as bytes; Table gives it types. In a handler (HandlerContext) it sees
// what the handler has written; in a ReadSnapshot, one moment of a read model.
//
// Errors: kInvalidArgument (a table that the projection has not named, a key that is too long),
// kDataLoss (damaged), or as the reading of files.
class TableReader {
 public:
  virtual ~TableReader() = default;
  // The row's bytes, valid until the next call to this object.
  [[nodiscard]] virtual absl::StatusOr<std::optional<std::string_view>> GetBytes(
      std::string_view table, std::string_view key) const = 0;
  [[nodiscard]] virtual absl::StatusOr<std::uint64_t> CountRows(std::string_view table) const = 0;
  // Calls `visit` with each row of the range until it says false. It may not use this object.
  using Visit = std::function<bool(std::string_view key, std::string_view row)>;
  virtual absl::Status ScanBytes(std::string_view table, const KeyRange& range,
                                 const Visit& visit) const = 0;
};

// What a handler can also do. All of it takes effect with the checkpoint, in one transaction, or
// not at all.
class TableWriter : public TableReader {
 public:
  virtual absl::Status PutBytes(std::string_view table, std::string_view key,
                                std::string_view row) = 0;
  // Fine where there is no such row.
  virtual absl::Status DeleteBytes(std::string_view table, std::string_view key) = 0;
};

// A table: its name, and the types of its keys and rows. A value, mostly a constant; thread-safe.
// Its name must outlive it. A change of a type is a new revision of the projection.
template <TableKey Key, TableRow Row>
class Table {
 public:
  constexpr explicit Table(std::string_view name) : name_(name) {}
  [[nodiscard]] constexpr std::string_view name() const { return name_; }

  [[nodiscard]] absl::StatusOr<std::optional<Row>> Get(const TableReader& from,
                                                       const Key& key) const {
    return Decode(from.GetBytes(name_, EncodeKey(key)));
  }

  absl::Status Put(TableWriter& to, const Key& key, const Row& row) const {
    std::string bytes;
    RowCodec<Row>::Encode(row, bytes);
    return to.PutBytes(name_, EncodeKey(key), bytes);
  }

  // Fine where there is no such row.
  absl::Status Delete(TableWriter& from, const Key& key) const {
    return from.DeleteBytes(name_, EncodeKey(key));
  }

  // Changes the row, which is `Row()` where there is none: `change` gets a Row&.
  template <class Change>
  absl::Status Update(TableWriter& in, const Key& key, const Change& change) const {
    const std::string key_bytes = EncodeKey(key);
    absl::StatusOr<std::optional<Row>> row = Decode(in.GetBytes(name_, key_bytes));
    if (!row.ok()) return row.status();
    if (!row->has_value()) row->emplace();
    change(**row);
    std::string bytes;
    RowCodec<Row>::Encode(**row, bytes);
    return in.PutBytes(name_, key_bytes, bytes);
  }

  // Calls `visit(key, row)` for the rows of the range, in order of keys, until it says false.
  // kDataLoss where a key or a row is not of the table's types. In a handler `visit` may not use
  // the context.
  template <class VisitRow>
  absl::Status Scan(const TableReader& from, const KeyRange& range, const VisitRow& visit) const {
    absl::Status bad;
    const absl::Status scanned =
        from.ScanBytes(name_, range, [&](std::string_view key_bytes, std::string_view row_bytes) {
          Key key{};
          const bool whole = KeyCodec<Key>::Decode(key_bytes, &key) && key_bytes.empty();
          absl::StatusOr<Row> row = RowCodec<Row>::Decode(row_bytes);
          if (!whole) bad = absl::DataLossError("a key is not of the type of its table");
          if (!row.ok()) bad = row.status();
          return bad.ok() && visit(std::as_const(key), std::as_const(*row));
        });
    return scanned.ok() ? bad : scanned;
  }

  [[nodiscard]] absl::StatusOr<std::uint64_t> Count(const TableReader& from) const {
    return from.CountRows(name_);
  }

 private:
  static absl::StatusOr<std::optional<Row>> Decode(
      const absl::StatusOr<std::optional<std::string_view>>& bytes) {
    if (!bytes.ok()) return bytes.status();
    if (!bytes->has_value()) return std::optional<Row>();
    absl::StatusOr<Row> row = RowCodec<Row>::Decode(**bytes);
    if (!row.ok()) return row.status();
    return std::optional<Row>(*std::move(row));
  }

  std::string_view name_;
};

}  // namespace daybook

#endif  // DAYBOOK_TABLES_H_
