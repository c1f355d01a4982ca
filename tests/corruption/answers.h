// What a store answers: everything that a reader can be asked, asked at once, so that two stores,
// or one before and after damage, can be compared.

#ifndef DAYBOOK_TESTS_CORRUPTION_ANSWERS_H_
#define DAYBOOK_TESTS_CORRUPTION_ANSWERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daybook/store.h"

namespace daybook::testing {

// A question and its true answer, as positions.
struct Question {
  ReadOptions options;
  std::vector<std::uint64_t> positions;
};

struct Truth {
  std::uint64_t head = 0;
  std::vector<std::uint64_t> events;  // a hash of all that each event says, by position - 1
  std::vector<Question> questions;
  std::vector<StreamInfo> streams;
  std::vector<Timestamp> times;  // recorded_at, by position - 1
};

// A store that is whole is asked; the truth about its events up to `head`.
absl::StatusOr<Truth> AskForTruth(const Reader& reader, std::uint64_t head);

// How answers compare with the truth.
struct Comparison {
  std::string wrong;                 // an answer that is another one than the truth; empty: none
  std::vector<absl::Status> errors;  // answers that were refused
  std::uint64_t head = 0;            // what the store says
  [[nodiscard]] bool identical(const Truth& truth) const {
    return wrong.empty() && errors.empty() && head == truth.head;
  }
};

enum class Depth : std::uint8_t {
  kEvents,  // every event by its position
  kAll,     // and every question
};
// `reader` may say less than the truth, if it says so; nothing that it gives may differ. Where its
// head is lower, without an error, that is for the caller to judge.
Comparison Compare(const Reader& reader, const Truth& truth, Depth depth);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CORRUPTION_ANSWERS_H_
