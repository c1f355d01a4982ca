// daybook_ledger STORE: writes a million transfers' worth of books from several threads, closes
// them, and then asks history alone: balances and trial balances of now and of three moments in the
// past.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "daybook/store.h"
#include "ledger.h"
#include "report.h"
#include "workload.h"

namespace {

using ledger::Grouped;

struct Arguments {
  std::filesystem::path store;
  ledger::WorkloadOptions workload;
  daybook::Durability durability = daybook::Durability::kBuffered;
};

constexpr std::string_view kUsage =
    "usage: daybook_ledger STORE [--accounts N] [--events N] [--batch N] [--threads N] [--sync]\n"
    "  STORE        a directory that does not exist yet\n"
    "  --accounts   how many accounts there are (50000)\n"
    "  --events     how many events are appended in all (1000000)\n"
    "  --batch      how many accounts get their first money in one commit (1000)\n"
    "  --threads    how many threads make transfers (4)\n"
    "  --sync       every transfer waits for the device (else: one flush at the end)\n";

bool ParseCount(std::string_view text, std::uint64_t* count) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *count);
  return error == std::errc() && end == text.data() + text.size();
}

bool Parse(const std::vector<std::string_view>& words, Arguments* arguments) {
  ledger::WorkloadOptions& workload = arguments->workload;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::uint64_t* const count = words[i] == "--accounts"  ? &workload.accounts
                                 : words[i] == "--events"  ? &workload.events
                                 : words[i] == "--batch"   ? &workload.batch
                                 : words[i] == "--threads" ? &workload.threads
                                                           : nullptr;
    if (count != nullptr) {
      if (++i == words.size() || !ParseCount(words[i], count)) return false;
    } else if (words[i] == "--sync") {
      arguments->durability = daybook::Durability::kSync;
    } else if (words[i].starts_with("-") || !arguments->store.empty()) {
      return false;
    } else {
      arguments->store = words[i];
    }
  }
  // A batch and the bank's event are one commit.
  return !arguments->store.empty() && workload.accounts >= 2 && workload.threads >= 1 &&
         workload.batch >= 1 && workload.batch < daybook::kCommitEventsMax;
}

double SecondsOf(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

std::string PerSecond(std::uint64_t count, double seconds) {
  return Grouped(static_cast<std::uint64_t>(static_cast<double>(count) / seconds)) + "/s";
}

std::string Seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", seconds);
  return text;
}

void Say(std::string_view what, const std::string& value) {
  std::printf("%-20.*s%s\n", static_cast<int>(what.size()), what.data(), value.c_str());
}

// Writes the books. The store is closed on return: nothing of the writing is left but what is on
// disk.
absl::Status Write(const Arguments& arguments) {
  auto store = daybook::Store::Open(
      arguments.store,
      {.create = daybook::StoreOptions::Create::kMustNotExist, .durability = arguments.durability});
  if (!store.ok()) return store.status();
  const auto result = ledger::RunWorkload(store->get(), arguments.workload);
  if (!result.ok()) return result.status();

  const bool sync = arguments.durability == daybook::Durability::kSync;
  Say("written", Grouped(result->events) + " events in " + Grouped(result->commits) +
                     " commits by " + std::to_string(arguments.workload.threads) + " threads, " +
                     Seconds(result->seconds));
  Say("durability", sync ? "kSync: each commit was on the device before it returned"
                         : "kBuffered: each commit survived the process at once, all were "
                           "flushed to the device at the end");
  Say("rate", PerSecond(result->events, result->seconds) + " events, " +
                  PerSecond(result->commits, result->seconds) + " commits");
  Say("conflicts retried", Grouped(result->conflicts));
  Say("refused", Grouped(result->refused) + " transfers of more than the account held");
  return absl::OkStatus();
}

absl::Status VerifyAll(const std::filesystem::path& directory) {
  const auto start = std::chrono::steady_clock::now();
  const auto report = daybook::Verify(directory, {});
  if (!report.ok()) return report.status();
  for (const daybook::Finding& finding : report->findings) {
    std::cerr << "ledger: " << finding.kind << " " << finding.file << ": " << finding.hint << '\n';
  }
  if (!report->ok()) return absl::DataLossError("the store is damaged: " + directory.string());
  Say("verified", Grouped(report->positions) + " events and every link, " +
                      Seconds(SecondsOf(std::chrono::steady_clock::now() - start)));
  return absl::OkStatus();
}

// Reads the books as an auditor would, with read rights only.
absl::Status Read(const Arguments& arguments) {
  const auto reader = daybook::Reader::Open(arguments.store, {});
  if (!reader.ok()) return reader.status();
  const auto stats = (*reader)->Stats();
  if (!stats.ok()) return stats.status();
  Say("streams", Grouped(stats->streams));
  Say("log", Grouped(stats->log_bytes) + " bytes in " + Grouped(stats->segments) +
                 " segments, which are made ahead of need");

  // Two that anybody pays, one like all the others, and the bank.
  const std::vector<std::string> accounts = {ledger::AccountName(0), ledger::AccountName(1),
                                             ledger::AccountName(arguments.workload.accounts - 1),
                                             std::string(ledger::kBank)};
  const auto start = std::chrono::steady_clock::now();
  const auto history = ledger::ReadHistory(**reader, accounts);
  if (!history.ok()) return history.status();
  const double seconds = SecondsOf(std::chrono::steady_clock::now() - start);
  std::uint64_t counted = 0;
  for (const ledger::Chapter& chapter : *history) counted += chapter.trial.events;
  Say("counted", Grouped(counted) + " events for " + std::to_string(history->size()) +
                     " moments, " + Seconds(seconds) + ", " + PerSecond(counted, seconds));
  std::printf("\n%s\n", ledger::Table(*history, accounts).c_str());
  if (!ledger::BooksBalance(*history)) return absl::InternalError("the books do not balance");
  std::printf("The books balance at every moment.\n");
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!Parse({argv + 1, argv + argc}, &arguments)) {
    std::cerr << kUsage;
    return EXIT_FAILURE;
  }
  absl::Status status = Write(arguments);
  if (status.ok()) status = VerifyAll(arguments.store);
  if (status.ok()) status = Read(arguments);
  if (!status.ok()) {
    std::cerr << "ledger: " << status << '\n';
    return EXIT_FAILURE;
  }
}
