#include "report.h"

#include <algorithm>

namespace ledger {
namespace {

using daybook::AsOf;
using daybook::Position;

// The end of the last commit that was complete at `position`; 0 where there is none.
absl::StatusOr<Position> EndOfCommitBefore(const daybook::Reader& reader, Position position) {
  const auto event = reader.EventAt(position);
  if (!event.ok()) return event.status();
  return Position((*event)->commit_first_position.value() - 1);
}

absl::StatusOr<Chapter> ReadChapter(const daybook::Reader& reader, std::string title,
                                    Position position, const std::vector<std::string>& accounts) {
  Chapter chapter{.title = std::move(title), .position = position};
  const auto event = reader.EventAt(position);
  if (!event.ok()) return event.status();
  chapter.recorded_at = (*event)->recorded_at;

  const auto trial = CountAt(reader, AsOf::AtPosition(position));
  if (!trial.ok()) return trial.status();
  chapter.trial = *trial;
  for (const std::string& name : accounts) {
    const auto by_position = AccountAt(reader, name, AsOf::AtPosition(position));
    if (!by_position.ok()) return by_position.status();
    const auto by_time = AccountAt(reader, name, AsOf::RecordedAt(chapter.recorded_at));
    if (!by_time.ok()) return by_time.status();
    if (by_position->balance != by_time->balance || by_position->version != by_time->version) {
      return absl::InternalError("the balance by time is not the one by position: " + name);
    }
    chapter.balances.push_back(by_position->balance);
  }
  return chapter;
}

// One line of the table: a name on the left, then a column for each chapter.
std::string Line(std::string name, const std::vector<std::string>& cells) {
  name.resize(std::max<std::size_t>(name.size(), 22), ' ');
  for (const std::string& cell : cells) {
    name.append(17 - std::min<std::size_t>(17, cell.size()), ' ').append(cell);
  }
  return name + '\n';
}

template <class Cell>
std::string LineOf(std::string name, const std::vector<Chapter>& history, Cell cell) {
  std::vector<std::string> cells;
  for (const Chapter& chapter : history) cells.push_back(cell(chapter));
  return Line(std::move(name), cells);
}

}  // namespace

absl::StatusOr<std::vector<Chapter>> ReadHistory(const daybook::Reader& reader,
                                                 const std::vector<std::string>& accounts) {
  const std::uint64_t now = reader.visible().value();
  std::vector<Chapter> history;
  for (const auto& [title, quarters] : {std::pair("a quarter", 1U), std::pair("half", 2U),
                                        std::pair("three quarters", 3U), std::pair("now", 4U)}) {
    Position position(now * quarters / 4);
    if (position == Position(0)) continue;
    if (quarters < 4) {
      const auto end = EndOfCommitBefore(reader, position);
      if (!end.ok()) return end.status();
      position = *end;
    }
    if (position == Position(0)) continue;
    auto chapter = ReadChapter(reader, title, position, accounts);
    if (!chapter.ok()) return chapter.status();
    history.push_back(*std::move(chapter));
  }
  return history;
}

bool BooksBalance(const std::vector<Chapter>& history) {
  return std::all_of(history.begin(), history.end(), [](const Chapter& chapter) {
    return chapter.trial.sum == 0 && chapter.trial.wrong_balances == 0;
  });
}

std::string Table(const std::vector<Chapter>& history, const std::vector<std::string>& accounts) {
  std::string table = LineOf("the books at", history, [](const Chapter& c) { return c.title; });
  table +=
      LineOf("  position", history, [](const Chapter& c) { return Grouped(c.position.value()); });
  table += LineOf("  recorded (UTC)", history, [](const Chapter& c) {
    return c.recorded_at.ToString().substr(11, 15);  // the time of day, to microseconds
  });
  table +=
      LineOf("  accounts", history, [](const Chapter& c) { return Grouped(c.trial.accounts); });
  table +=
      LineOf("  money issued", history, [](const Chapter& c) { return Money(c.trial.issued); });
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    table +=
        LineOf("  " + accounts[i], history, [i](const Chapter& c) { return Money(c.balances[i]); });
  }
  table += LineOf("  trial balance", history, [](const Chapter& c) { return Money(c.trial.sum); });
  table += LineOf("  wrong balances", history,
                  [](const Chapter& c) { return Grouped(c.trial.wrong_balances); });
  return table;
}

std::string Grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string Money(Cents cents) {
  const auto size = static_cast<std::uint64_t>(cents < 0 ? -cents : cents);
  std::string text = cents < 0 ? "-" : "";
  text += Grouped(size / 100);
  text += size % 100 < 10 ? ".0" : ".";
  return text += std::to_string(size % 100);
}

}  // namespace ledger
