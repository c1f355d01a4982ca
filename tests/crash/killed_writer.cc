#include "crash/killed_writer.h"

#include <memory>

#include "crash/process.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;
using Clock = Process::Clock;

}  // namespace

std::string LiveAndDie(const fs::path& store, const Life& life, History* history) {
  const std::string number = std::to_string(life.seed);
  std::vector<std::string> command = {DAYBOOK_CRASH_WRITER, store.native(), number};
  if (life.small_segments) command.push_back("small");
  if (life.durable) command.push_back("durable");
  Process writer(command, life.environment);
  std::vector<std::unique_ptr<Process>> readers;
  std::vector<Process*> all = {&writer};
  for (int i = 0; i < life.readers; ++i) {
    readers.push_back(std::make_unique<Process>(
        std::vector<std::string>{DAYBOOK_TAIL_READER, store.native(), number}));
    all.push_back(readers.back().get());
  }
  if (!life.from_start) {
    Process::ListenToAll(all, Clock::now() + std::chrono::seconds(60),
                         [&writer] { return !writer.said().empty() || writer.over(); });
  }
  const auto over = [&writer] { return writer.over(); };
  const Clock::time_point end = Clock::now() + life.lasts;
  Process::ListenToAll(all, end - life.lasts / 2, over);
  for (std::size_t i = 0; i < readers.size(); i += 2) readers[i]->Kill();
  Process::ListenToAll(all, end, over);
  writer.Kill();
  for (const auto& reader : readers) reader->Kill();

  if (std::string what = history->AcknowledgeAll(writer.said()); !what.empty()) return what;
  for (const auto& reader : readers) {
    if (std::string what = history->Saw(reader->said()); !what.empty()) return what;
  }
  return "";
}

void Moments::Look(const fs::path& store) {
  if (!fs::exists(store / "STORE")) {
    ++creations;
    return;
  }
  std::uint64_t segments = 0, indexed = 0;
  bool spare = false;
  for (const auto& file : fs::directory_iterator(store / "log")) {
    segments += file.path().extension() == ".log" ? 1 : 0;
    indexed += file.path().extension() == ".idx" ? 1 : 0;
    spare = spare || file.path().filename() == "spare";
  }
  preallocations += spare ? 1 : 0;
  sidecars += indexed + 1 < segments ? 1 : 0;
}

void DeleteDerived(const fs::path& store) {
  fs::remove_all(store / "index");
  for (const auto& file : fs::directory_iterator(store / "log")) {
    if (file.path().extension() == ".idx") fs::remove(file.path());
  }
}

}  // namespace daybook::testing
