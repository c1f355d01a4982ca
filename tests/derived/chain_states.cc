#include "derived/chain_states.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "snapshot/snapshot_testing.h"

namespace daybook::testing {

absl::Status AppendToSome(Store* store, std::mt19937_64* random) {
  const std::string stream = absl::StrCat("s-", (*random)() % 6);
  const std::string data((*random)() % 100, static_cast<char>('a' + (*random)() % 26));
  NewEvent event;
  event.type = "Happened";
  event.data = AsBytes(data);
  event.content_type = ContentType::kOctetStream;
  return store->Append(stream, ExpectedVersion::Any(), {event}).status();
}

absl::StatusOr<std::vector<std::string>> StatesOf(const Reader& reader,
                                                  const std::shared_ptr<SnapshotStore>& snapshots,
                                                  std::size_t padding, std::uint64_t* hits) {
  ChainFold fold;
  fold.padding = padding;
  RepositoryOptions options;
  options.snapshots = snapshots;
  options.policy.every_events = 4;
  options.policy.retention = SnapshotRetention::All();
  options.verify_one_in = 0;
  options.cached_states_max = 0;
  const Repository<ChainFold> chains(reader, fold, options);
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<StreamInfo> streams, reader.Streams({}));
  std::vector<std::string> states;
  for (const StreamInfo& stream : streams) {
    const std::uint64_t head = stream.version.value();
    for (const std::uint64_t version : {head / 3, head / 2 + 1, head}) {
      DAYBOOK_ASSIGN_OR_RETURN(
          const PastState<Chain> past,
          chains.LoadAt(stream.stream, AsOf::AtVersion(Version(std::min(version, head)))));
      states.push_back(absl::StrCat(stream.stream, " ", version, " ", past.state().events, " ",
                                    past.state().hash));
      if (hits != nullptr && past.info().snapshot.value() != 0) ++*hits;
    }
  }
  return states;
}

absl::Status CheckSnapshots(const Reader& reader, std::size_t padding, std::uint64_t* replayed) {
  ChainFold fold;
  fold.padding = padding;
  DAYBOOK_ASSIGN_OR_RETURN(const SnapshotVerifyReport report,
                           VerifySnapshots(reader, [&fold](std::string_view, std::uint32_t) {
                             return std::make_shared<FoldAdapter<ChainFold>>(fold);
                           }));
  if (replayed != nullptr) *replayed += report.replayed;
  for (const Finding& finding : report.findings) {
    return absl::InternalError(absl::StrCat("snapshots: ", finding.file, ": ", finding.hint));
  }
  return absl::OkStatus();
}

}  // namespace daybook::testing
