// The workloads `W11-nats` and `W11M-nats`: publishing to JetStream. Each run is one of
// daybook_nats_publish, which stands beside this program, and of a nats-server of its own.

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "compare/rival.h"
#include "compare/runner.h"

namespace daybook::bench {
namespace {

constexpr std::uint64_t kPublishedCommit = 1'000;  // events
constexpr double kAllowedPublisherMib = 200;

// A nats-server on a free port, with its files in a folder; killed with this.
class NatsServer {
 public:
  explicit NatsServer(const std::filesystem::path& folder) {
    const std::string ports = folder.string(), data = (folder / "data").string();
    const std::string log = (folder / "log").string();
    const char* const arguments[] = {DAYBOOK_BENCH_NATS,
                                     "-a",
                                     "127.0.0.1",
                                     "-p",
                                     "-1",
                                     "-js",
                                     "-sd",
                                     data.c_str(),
                                     "--ports_file_dir",
                                     ports.c_str(),
                                     "-l",
                                     log.c_str(),
                                     nullptr};
    if (posix_spawn(&pid_, arguments[0], nullptr, nullptr, const_cast<char**>(arguments),
                    environ) != 0) {
      Die(std::string("W11-nats: cannot start ") + arguments[0]);
    }
    for (int i = 0; i < 1000 && url_.empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      FindUrl(folder);
    }
    if (url_.empty()) Die("W11-nats: nats-server does not start, see " + log);
  }
  ~NatsServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  // {"nats":["nats://127.0.0.1:41234"], ...} in a file whose name ends in .ports.
  void FindUrl(const std::filesystem::path& folder) {
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (file.path().extension() != ".ports") continue;
      const std::string text = ReadWhole(file.path());
      const std::size_t begin = text.find("nats://");
      const std::size_t end = text.find('"', begin);
      if (begin != text.npos && end != text.npos) url_ = text.substr(begin, end - begin);
    }
  }
  static std::string ReadWhole(const std::filesystem::path& path) {
    std::string text(std::filesystem::file_size(path), '\0');
    std::FILE* const file = std::fopen(path.c_str(), "r");
    if (file == nullptr) return "";
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
  }

  pid_t pid_ = -1;
  std::string url_;
};

struct Published {
  double rate = 0, rss_anon_kib = 0;
};

Published Publish(const std::string& mode, const std::filesystem::path& store,
                  const NatsServer& server) {
  const std::filesystem::path program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "daybook_nats_publish";
  const std::string command =
      "'" + program.string() + "' " + mode + " '" + store.string() + "' " + server.url();
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) Die("W11-nats: cannot run " + command);
  unsigned long long events = 0;
  Published published;
  const int fields = std::fscanf(pipe, "{\"events\":%llu,\"rate\":%lf,\"rss_anon_kib\":%lf}",
                                 &events, &published.rate, &published.rss_anon_kib);
  if (::pclose(pipe) != 0 || fields != 3) Die("W11-nats: failed: " + command);
  return published;
}

std::filesystem::path FillPublished(const RunOptions& options, std::uint64_t events) {
  const Plan plan({.events = events,
                   .events_per_commit = kPublishedCommit,
                   .streams = options.Scaled(kStreams, 100)});
  const std::filesystem::path store = FreshDirectory(options, "published");
  OpenDaybook(store)->Load(plan);
  return store;
}

std::string PublishedData(std::uint64_t events) {
  return std::to_string(events) +
         " events of 256 bytes, 12 headers each, into one stream of one server with files";
}

constexpr char kPublishDurability[] =
    "every message acknowledged by JetStream, whose server syncs every two minutes";

}  // namespace

WorkloadResult RunW11Nats(const RunOptions& options) {
  const std::uint64_t events = options.Scaled(1'000'000, 2'000, kPublishedCommit);
  const std::filesystem::path store = FillPublished(options, events);
  const NatsServer server(FreshDirectory(options, "nats"));
  const std::vector<Contestant> contestants = {
      {"Daybook, publisher", [&] { return Publish("publisher", store, server).rate; }},
      {"nats.c, asynchronous", [&] { return Publish("client", store, server).rate; }}};
  WorkloadResult result{.id = "W11-nats",
                        .title = "publish all events of a store to NATS JetStream",
                        .unit = "events/s",
                        .durability = kPublishDurability,
                        .data = PublishedData(events)};
  RunRounds(options, WarmUp::kYes, contestants, {{contestants[0].name, contestants[1].name, 0.8}},
            &result);
  return result;
}

WorkloadResult RunW11NatsMemory(const RunOptions& options) {
  RunOptions once = options;
  once.pairs = 1;
  // Never fewer: it is about what piles up.
  const std::uint64_t events = options.smoke ? 2'000 : 1'000'000;
  const std::filesystem::path store = FillPublished(options, events);
  const NatsServer server(FreshDirectory(options, "nats"));
  const std::vector<Contestant> contestants = {
      {"Daybook, publisher", [&] {
         const double mib = Publish("publisher", store, server).rss_anon_kib / 1024;
         std::fprintf(stderr, "W11M-nats: peak of %.0f MiB\n", mib);
         return kAllowedPublisherMib / mib;
       }}};
  WorkloadResult result{.id = "W11M-nats",
                        .title =
                            "publish to NATS JetStream: how often the publisher's peak of "
                            "memory (RssAnon) goes into 200 MiB",
                        .unit = "times",
                        .durability = kPublishDurability,
                        .data = PublishedData(events) + ", at any scale; measured once"};
  RunRounds(once, WarmUp::kNo, contestants, {{contestants[0].name, "", 1}}, &result);
  return result;
}

}  // namespace daybook::bench
