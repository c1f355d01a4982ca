#include "projections/publish/nats/nats_testing.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace daybook::testing {
namespace {

std::string Program() {
  if (const char* given = std::getenv("DAYBOOK_NATS_SERVER"); given != nullptr) return given;
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "" : path;
  rest += ":/usr/sbin";
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string program = rest.substr(0, colon) + "/nats-server";
    if (access(program.c_str(), X_OK) == 0) return program;
    rest = colon == rest.npos ? "" : rest.substr(colon + 1);
  }
  return "";
}

int FreePort() {
  const int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = bind(socket_fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(socket_fd);
  return bound ? ntohs(address.sin_port) : 0;
}

}  // namespace

bool NatsServer::IsInstalled() { return !Program().empty(); }

NatsServer::NatsServer(const std::string& config, JetStream jetstream) : port_(FreePort()) {
  std::ofstream file(folder_ / "server.conf");
  file << "listen: 127.0.0.1:" << port_ << '\n' << config << '\n';
  if (jetstream == JetStream::kYes) {
    file << "jetstream { store_dir: \"" << (folder_ / "data").native() << "\" }\n";
  }
}

bool NatsServer::Start() {
  const std::string program = Program(), config = folder_ / "server.conf";
  const std::string log = folder_ / "log";
  pid_ = fork();
  if (pid_ == 0) {
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execl(program.c_str(), program.c_str(), "-c", config.c_str(), nullptr);
    _exit(127);
  }
  for (int i = 0; i < 1000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::ifstream text(log);
    const std::string said((std::istreambuf_iterator<char>(text)), {});
    const std::size_t ready = said.rfind("Server is ready");
    const std::size_t begun = said.rfind("Starting nats-server");
    if (ready != said.npos && begun != said.npos && ready > begun) return true;
  }
  return false;
}

void NatsServer::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  // The next start has a log of its own.
  std::error_code ignored;
  std::filesystem::remove(folder_ / "log", ignored);
}

void NatsServer::Pause() { kill(pid_, SIGSTOP); }
void NatsServer::Resume() { kill(pid_, SIGCONT); }

void WithJetStream(const std::string& url,
                   const std::function<void(natsConnection*, jsCtx*)>& use) {
  natsConnection* nc = nullptr;
  jsCtx* js = nullptr;
  if (natsConnection_ConnectTo(&nc, url.c_str()) == NATS_OK &&
      natsConnection_JetStream(&js, nc, nullptr) == NATS_OK) {
    use(nc, js);
  }
  jsCtx_Destroy(js);
  natsConnection_Destroy(nc);
}

bool AddStream(const std::string& url, const std::string& name,
               const std::function<void(jsStreamConfig*)>& adjust) {
  bool added = false;
  WithJetStream(url, [&](natsConnection*, jsCtx* js) {
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    const char* subjects[] = {"ledger.>"};
    config.Name = name.c_str();
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    if (adjust) adjust(&config);
    added = js_AddStream(nullptr, js, &config, nullptr, nullptr) == NATS_OK;
  });
  return added;
}

std::vector<StoredMessage> ReadStream(const std::string& url, const std::string& name) {
  std::vector<StoredMessage> found;
  WithJetStream(url, [&](natsConnection*, jsCtx* js) {
    jsStreamInfo* info = nullptr;
    if (js_GetStreamInfo(&info, js, name.c_str(), nullptr, nullptr) != NATS_OK) return;
    for (std::uint64_t at = info->State.FirstSeq; at <= info->State.LastSeq; ++at) {
      natsMsg* message = nullptr;
      if (js_GetMsg(&message, js, name.c_str(), at, nullptr, nullptr) != NATS_OK) continue;
      StoredMessage& stored = found.emplace_back();
      stored.subject = natsMsg_GetSubject(message);
      stored.data.assign(natsMsg_GetData(message),
                         static_cast<std::size_t>(natsMsg_GetDataLength(message)));
      const char** keys = nullptr;
      int count = 0;
      if (natsMsgHeader_Keys(message, &keys, &count) == NATS_OK) {
        for (int i = 0; i < count; ++i) {
          const char* value = nullptr;
          natsMsgHeader_Get(message, keys[i], &value);
          stored.headers[keys[i]] = value;
        }
      }
      free(static_cast<void*>(keys));
      natsMsg_Destroy(message);
    }
    jsStreamInfo_Destroy(info);
  });
  return found;
}

}  // namespace daybook::testing
