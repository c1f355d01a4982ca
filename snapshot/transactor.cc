// Decisions: load, decide, append at the version that was loaded, and again where that conflicts.

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/repository.h"

namespace daybook {
namespace {

// How long a reader of another process than the writer's may lag behind a conflict.
constexpr std::chrono::seconds kRetryCatchUpMax{1};

AppendedEvent AlreadyAppended(const EventView& event) {
  return {.id = event.id,
          .position = event.position,
          .version = event.version,
          .recorded_at = event.recorded_at,
          .duplicate = true};
}

// The commit that holds the event, as its append told it.
absl::StatusOr<AppendResult> CommitOf(const Store& store, Position first_position) {
  ReadOptions options;
  options.from_position = first_position;
  options.views = Views::kUntilNext;
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, store.Read(options));
  AppendResult result{.events = {}, .last_position = Position(0), .duplicate = true};
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, cursor.Next());
    if (event == nullptr || event->commit_first_position != first_position) return result;
    result.events.push_back(AlreadyAppended(*event));
    result.last_position = event->position;
  }
}

// What a transaction with these ids did before, if it did.
absl::StatusOr<std::optional<AppendResult>> FindOutcome(const Store& store, std::string_view stream,
                                                        const std::vector<EventId>& ids) {
  for (const EventId& id : ids) {
    ReadOptions options;
    options.stream = std::string(stream);
    options.id = id;
    DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, store.Read(options));
    DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, cursor.Next());
    if (event == nullptr) continue;
    DAYBOOK_ASSIGN_OR_RETURN(AppendResult result, CommitOf(store, event->commit_first_position));
    return std::optional<AppendResult>(std::move(result));
  }
  return std::optional<AppendResult>();
}

// A decision is another function's code: what it throws ends here.
absl::Status Guarded(const Transactor::Decide& decide, const void* state, Decision* decision) {
  try {
    return decide(state, *decision);
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(absl::StrCat("the decision threw: ", error.what()));
  } catch (...) {
    return absl::FailedPreconditionError("the decision threw what is no std::exception");
  }
}

}  // namespace

absl::Status Decision::Add(const NewEvent& event) { return Add(stream_, event); }

absl::Status Decision::Add(std::string_view stream, const NewEvent& event) {
  const std::size_t index = commit_.events();
  if (event.id || index >= ids_->size()) {
    DAYBOOK_RETURN_IF_ERROR(commit_.Add(stream, event));
  } else {
    NewEvent identified = event;
    identified.id = (*ids_)[index];
    DAYBOOK_RETURN_IF_ERROR(commit_.Add(stream, identified));
  }
  if (index >= ids_->size()) ids_->resize(index + 1);
  (*ids_)[index] = commit_.id(index);
  return absl::OkStatus();
}

absl::Status Decision::Expect(std::string_view stream, ExpectedVersion expected) {
  if (stream == stream_) {
    return absl::InvalidArgumentError(
        "a decision always expects the version of its own stream that it was made on");
  }
  return commit_.Expect(stream, expected);
}

absl::Status Decision::Require(AppendCondition condition) {
  return commit_.Require(std::move(condition));
}

absl::StatusOr<TransactResult> Transactor::Run(Store& store, const Loader& loader,
                                               std::string_view stream, const Decide& decide,
                                               const TransactOptions& options) {
  std::vector<EventId> own_ids;
  std::vector<EventId>* const ids = options.ids != nullptr ? options.ids : &own_ids;
  DAYBOOK_ASSIGN_OR_RETURN(std::optional<AppendResult> before, FindOutcome(store, stream, *ids));
  if (before) {
    // It is there, and told as durable as an append would be.
    if (options.append.durability == Durability::kSync) {
      DAYBOOK_RETURN_IF_ERROR(store.WaitDurable(before->last_position));
    }
    return TransactResult{.append = *std::move(before), .attempts = 0};
  }
  for (int attempt = 1;; ++attempt) {
    DAYBOOK_ASSIGN_OR_RETURN(const Loader::Loaded loaded, loader.Load(stream));
    Decision decision(stream, ids);
    DAYBOOK_RETURN_IF_ERROR(Guarded(decide, loaded.state.get(), &decision));
    if (decision.events() == 0) return TransactResult{.append = {}, .attempts = attempt};
    DAYBOOK_RETURN_IF_ERROR(
        decision.commit_.Expect(stream, ExpectedVersion::Exactly(loaded.info.basis.version)));
    auto appended = store.Append(decision.commit_, options.append);
    if (appended.ok()) return TransactResult{.append = *std::move(appended), .attempts = attempt};
    if (!absl::IsAborted(appended.status()) || attempt >= options.attempts_max) {
      return appended.status();
    }
    // Where the states are read in another process than the writer's they may lag behind.
    static_cast<void>(loader.reader().WaitVisible(store.visible(), kRetryCatchUpMax));
  }
}

}  // namespace daybook
