// Publishes the events of a store to a JetStream stream, and says how fast and in how much memory:
// by Daybook's publisher, or as nats.c's own users do, with its asynchronous publish and the same
// payloads and headers. The stream is made anew before the clock starts, and what it holds is
// counted after it stopped.
//
//   daybook_nats_publish publisher|client STORE nats://HOST:PORT

#include <nats/nats.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compare/peak_memory.h"
#include "compare/sent_events.h"
#include "daybook/nats_sink.h"
#include "daybook/publisher.h"
#include "daybook/store.h"

namespace daybook::bench {
namespace {

constexpr const char* kStream = "BENCH";
constexpr std::int64_t kPendingMax = 4096;  // as many as the sink has on their way

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "nats_publish: %s\n", what.c_str());
  std::exit(1);
}
void Check(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}
void Check(natsStatus status) {
  if (status != NATS_OK) Die(natsStatus_GetText(status));
}

class Server {
 public:
  explicit Server(const std::string& url) {
    Check(natsConnection_ConnectTo(&nc_, url.c_str()));
    jsOptions options;
    jsOptions_Init(&options);
    options.PublishAsync.MaxPending = kPendingMax;
    options.PublishAsync.StallWait = 60'000;
    options.PublishAsync.ErrHandler = [](jsCtx*, jsPubAckErr* error, void*) {
      Die(std::string("not published: ") + error->ErrText);
    };
    Check(natsConnection_JetStream(&js_, nc_, &options));
  }
  ~Server() {
    jsCtx_Destroy(js_);
    natsConnection_Destroy(nc_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void MakeStream() {
    js_DeleteStream(js_, kStream, nullptr, nullptr);  // there may be none
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    std::array<const char*, 1> subjects = {"ledger.>"};
    config.Name = kStream;
    config.Subjects = subjects.data();
    config.SubjectsLen = 1;
    Check(js_AddStream(nullptr, js_, &config, nullptr, nullptr));
  }
  std::uint64_t Messages() {
    jsStreamInfo* info = nullptr;
    Check(js_GetStreamInfo(&info, js_, kStream, nullptr, nullptr));
    const std::uint64_t messages = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return messages;
  }
  [[nodiscard]] jsCtx* js() { return js_; }

 private:
  natsConnection* nc_ = nullptr;
  jsCtx* js_ = nullptr;
};

// As a program would that has its events in memory, with headers of the same names and sizes.
void PublishByClient(Server& server, const std::vector<Sent>& events,
                     const std::string& incarnation) {
  const std::string source = "urn:daybook:" + incarnation;
  const std::string time = "2026-01-01T00:00:00.123456789Z";
  const std::string id = "01a21062-9e17-79f2-81c5-e48553e2437f";
  std::uint64_t position = 0;
  for (const Sent& event : events) {
    ++position;
    char sequence[32];
    std::snprintf(sequence, sizeof sequence, "%020llu", static_cast<unsigned long long>(position));
    const std::string key = incarnation + ":" + std::to_string(position);
    const std::string subject =
        "ledger." + event.stream.substr(0, event.stream.find('-')) + "." + event.type;
    natsMsg* message = nullptr;
    Check(natsMsg_Create(&message, subject.c_str(), nullptr, event.data.data(),
                         static_cast<int>(event.data.size())));
    const std::pair<const char*, const char*> headers[] = {
        {"ce-specversion", "1.0"},
        {"ce-id", id.c_str()},
        {"ce-source", source.c_str()},
        {"ce-type", event.type.c_str()},
        {"ce-subject", event.stream.c_str()},
        {"ce-time", time.c_str()},
        {"ce-datacontenttype", "application/json"},
        {"ce-sequence", sequence},
        {"ce-partitionkey", event.stream.c_str()},
        {"ce-streamversion", "12"},
        {"ce-recordedtime", time.c_str()},
        {"content-type", "application/json"}};
    for (const auto& [name, value] : headers) Check(natsMsgHeader_Set(message, name, value));
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MsgId = key.c_str();
    options.MaxWait = 60'000;
    Check(js_PublishMsgAsync(server.js(), &message, &options));
  }
  jsPubOptions options;
  jsPubOptions_Init(&options);
  options.MaxWait = 600'000;
  Check(js_PublishAsyncComplete(server.js(), &options));
}

void PublishByPublisher(const Reader& reader, const std::string& url) {
  absl::StatusOr<std::unique_ptr<Sink>> sink = OpenNatsSink({.url = url + "/" + kStream});
  Check(sink.status());
  // A cursor of its own for each run.
  const std::string name =
      "bench-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  const auto publisher =
      Publisher::Open(reader, *std::move(sink), {.name = name, .from = PublishFrom::At(1)});
  Check(publisher.status());
  Check((*publisher)->Run(PublishUntil::kCaughtUp, [] { return true; }));
}

int Main(const std::string& mode, const std::string& store, const std::string& url) {
  const auto reader = Reader::Open(store, {});
  Check(reader.status());
  const std::uint64_t events = (*reader)->durable().value();
  Server server(url);
  server.MakeStream();
  const bool by_client = mode == "client";
  absl::StatusOr<std::vector<Sent>> in_memory = std::vector<Sent>();
  if (by_client) in_memory = ReadEvents(**reader);
  Check(in_memory.status());
  PeakRssAnon peak;
  const auto begin = std::chrono::steady_clock::now();
  if (by_client) {
    PublishByClient(server, *in_memory, std::string((*reader)->incarnation()));
  } else {
    PublishByPublisher(**reader, url);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const std::uint64_t kib = peak.StopKib();
  if (server.Messages() != events) Die("the stream does not hold what was published");
  std::printf("{\"events\":%llu,\"rate\":%.0f,\"rss_anon_kib\":%llu}\n",
              static_cast<unsigned long long>(events),
              static_cast<double>(events) / seconds.count(), static_cast<unsigned long long>(kib));
  return 0;
}

}  // namespace
}  // namespace daybook::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: daybook_nats_publish publisher|client STORE nats://HOST:PORT\n", stderr);
    return 2;
  }
  return daybook::bench::Main(argv[1], argv[2], argv[3]);
}
