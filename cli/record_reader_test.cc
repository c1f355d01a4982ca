#include "cli/record_reader.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"

namespace daybook::cli {
namespace {

// Gives a text in pieces of a fixed size.
class TextSource : public ByteSource {
 public:
  TextSource(std::string text, std::size_t piece) : text_(std::move(text)), piece_(piece) {}
  absl::StatusOr<std::size_t> Read(std::span<char> to) override {
    const std::size_t size = std::min({piece_, to.size(), text_.size() - at_});
    std::copy_n(text_.data() + at_, size, to.data());
    at_ += size;
    return size;
  }
  [[nodiscard]] std::uint64_t bytes_read() const override { return at_; }
  [[nodiscard]] std::optional<std::uint64_t> bytes_total() const override { return text_.size(); }

 private:
  const std::string text_;
  const std::size_t piece_;
  std::size_t at_ = 0;
};

using Records = std::vector<std::pair<std::uint64_t, std::string>>;

Records ReadAll(const std::string& text, InputFormat format, std::size_t piece = 1 << 20) {
  TextSource source(text, piece);
  RecordReader reader(source, format);
  Records records;
  for (;;) {
    const auto record = reader.Next();
    REQUIRE_OK(record);
    if (!record->has_value()) return records;
    records.emplace_back((*record)->line,
                         (*record)->too_long ? "<too long>" : std::string((*record)->text));
  }
}

TEST_CASE("lines come without their endings and with their numbers", "[cli][records]") {
  const std::string text = "\xEF\xBB\xBFone\r\n\n  \ntwo\nthree";
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 100u}) {
    CHECK(ReadAll(text, InputFormat::kNdjson, piece) ==
          Records{{1, "one"}, {4, "two"}, {5, "three"}});
  }
  CHECK(ReadAll("", InputFormat::kNdjson).empty());
  CHECK(ReadAll("\n\n", InputFormat::kNdjson).empty());
  CHECK(ReadAll("a\n", InputFormat::kNdjson) == Records{{1, "a"}});
}

TEST_CASE("a record of CSV goes on over line breaks in quotes", "[cli][records]") {
  const std::string text = "a,b\r\n\"x\r\ny\",\"\"\"\n\"\n1,2\n\"open\n";
  for (const std::size_t piece : {1u, 2u, 5u, 100u}) {
    CHECK(ReadAll(text, InputFormat::kCsv, piece) ==
          Records{{1, "a,b"}, {2, "\"x\r\ny\",\"\"\"\n\""}, {5, "1,2"}, {6, "\"open\n"}});
  }
}

TEST_CASE("a line longer than any event is passed over, and the next one is read",
          "[cli][records]") {
  const std::string text = "a\n" + std::string(kRecordBytesMax + 5, 'x') + "\nb\n";
  CHECK(ReadAll(text, InputFormat::kNdjson) == Records{{1, "a"}, {2, "<too long>"}, {3, "b"}});
  const std::string longer = "a\n" + std::string(3 * kRecordBytesMax, 'x');
  CHECK(ReadAll(longer, InputFormat::kNdjson) == Records{{1, "a"}, {2, "<too long>"}});
  const std::string fits = std::string(kRecordBytesMax, 'x');
  CHECK(ReadAll(fits + "\n", InputFormat::kNdjson) == Records{{1, fits}});
}

TEST_CASE("the format follows from the name", "[cli][records]") {
  CHECK(FormatOf("a.csv") == InputFormat::kCsv);
  CHECK(FormatOf("a.csv.gz") == InputFormat::kCsv);
  CHECK(FormatOf("a.csv.zst") == InputFormat::kCsv);
  CHECK(FormatOf("a.ndjson.gz") == InputFormat::kNdjson);
  CHECK(FormatOf("-") == InputFormat::kNdjson);
}

}  // namespace
}  // namespace daybook::cli
