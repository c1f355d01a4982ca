#include <string>
#include <utility>

#include "compare/rival.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

Seen ReadAllOf(absl::StatusOr<Cursor> cursor) {
  CheckDaybook(cursor.status());
  Seen seen;
  while (true) {
    const absl::StatusOr<const EventView*> event = cursor->Next();
    if (!event.ok()) CheckDaybook(event.status());
    if (*event == nullptr) return seen;
    seen.Add((*event)->version.value(), AsText((*event)->data));
  }
}

class DaybookStore : public EventStore {
 public:
  DaybookStore(std::filesystem::path directory, std::unique_ptr<Store> store)
      : directory_(std::move(directory)), store_(std::move(store)) {}

  std::unique_ptr<Appender> NewAppender() override {
    return std::make_unique<DaybookAppender>(store_.get());
  }

  // Without waiting for the device: closing makes it durable.
  void Load(const Plan& plan) override {
    store_.reset();
    store_ = OpenStore(directory_, {.durability = Durability::kBuffered});
    DaybookAppender appender(store_.get());
    for (std::uint64_t i = 0; i < plan.commits(); ++i) appender.Append(plan, i);
  }

  Seen ReadAll() override { return ReadAllOf(store_->Read({})); }
  Seen ReadStream(std::string_view stream) override {
    return ReadAllOf(store_->Read({.stream = std::string(stream)}));
  }

  static std::unique_ptr<Store> OpenStore(const std::filesystem::path& directory,
                                          const StoreOptions& options) {
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(directory, options);
    CheckDaybook(store.status());
    return *std::move(store);
  }

 private:
  class DaybookAppender : public Appender {
   public:
    explicit DaybookAppender(Store* store) : store_(store) {}

    void Append(const Plan& plan, std::uint64_t commit) override {
      commit_.Clear();
      for (std::uint64_t i = 0; i < plan.events_per_commit(); ++i) {
        const Event event = plan.At(commit * plan.events_per_commit() + i);
        CheckDaybook(commit_.Add(event.stream, {.type = event.type, .data = AsBytes(event.data)}));
        if (event.first_of_stream_in_commit) {
          CheckDaybook(
              commit_.Expect(event.stream, ExpectedVersion::Exactly(Version(event.version - 1))));
        }
      }
      const absl::StatusOr<AppendResult> result = store_->Append(commit_);
      if (!result.ok()) CheckDaybook(result.status());
    }

   private:
    Store* store_;
    Commit commit_;
  };

  std::filesystem::path directory_;
  std::unique_ptr<Store> store_;
};

}  // namespace

void CheckDaybook(const absl::Status& status) {
  if (!status.ok()) Die("Daybook: " + std::string(status.message()));
}

std::unique_ptr<EventStore> OpenDaybook(const std::filesystem::path& directory) {
  return std::make_unique<DaybookStore>(directory, DaybookStore::OpenStore(directory, {}));
}

}  // namespace daybook::bench
