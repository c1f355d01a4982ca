#include "projections/publish/sqs/signature_testing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook::sqs::testing {
namespace {

constexpr std::size_t kBlock = 64;

// FIPS 180-4: the first 32 bits of the fraction of a root of each of the first primes.
template <std::size_t kCount, class Root>
std::array<std::uint32_t, kCount> OfPrimes(const Root& root) {
  std::array<std::uint32_t, kCount> out{};
  std::size_t count = 0;
  for (unsigned n = 2; count < kCount; ++n) {
    bool is_prime = true;
    for (unsigned d = 2; d * d <= n; ++d) is_prime = is_prime && n % d != 0;
    if (!is_prime) continue;
    const long double value = root(static_cast<long double>(n));
    out[count++] = static_cast<std::uint32_t>((value - std::floor(value)) * 4294967296.0L);
  }
  return out;
}

void Compress(const unsigned char* block, std::array<std::uint32_t, 8>* state) {
  static const auto kRounds = OfPrimes<64>([](long double n) { return std::cbrt(n); });
  std::array<std::uint32_t, 64> w{};
  for (std::size_t i = 0; i < 16; ++i) {
    for (std::size_t j = 0; j < 4; ++j) w[i] = w[i] << 8 | block[4 * i + j];
  }
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t x = w[i - 15];
    const std::uint32_t y = w[i - 2];
    w[i] = w[i - 16] + (std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3) + w[i - 7] +
           (std::rotr(y, 17) ^ std::rotr(y, 19) ^ y >> 10);
  }
  auto [a, b, c, d, e, f, g, h] = *state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                              ((e & f) ^ (~e & g)) + kRounds[i] + w[i];
    const std::uint32_t two =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  const std::array<std::uint32_t, 8> after = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) (*state)[i] += after[i];
}

std::string Sha256(std::string_view text) {
  auto state = OfPrimes<8>([](long double n) { return std::sqrt(n); });
  std::string padded(text);
  padded.push_back('\x80');
  while (padded.size() % kBlock != kBlock - 8) padded.push_back('\0');
  const std::uint64_t bits = std::uint64_t{text.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) padded.push_back(static_cast<char>(bits >> shift));
  for (std::size_t at = 0; at < padded.size(); at += kBlock) {
    Compress(reinterpret_cast<const unsigned char*>(padded.data()) + at, &state);
  }
  std::string digest;
  for (const std::uint32_t word : state) {
    for (int shift = 24; shift >= 0; shift -= 8) digest.push_back(static_cast<char>(word >> shift));
  }
  return digest;
}

std::string Hmac(std::string_view key, std::string_view text) {
  std::string padded(key.size() > kBlock ? Sha256(key) : std::string(key));
  padded.resize(kBlock, '\0');
  std::string inner = padded;
  std::string outer = padded;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  return Sha256(outer + Sha256(inner + std::string(text)));
}

std::string Hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

}  // namespace

std::string Sha256Hex(std::string_view text) { return Hex(Sha256(text)); }

std::string SignatureOf(const SignedRequest& request, std::string_view secret,
                        std::string_view scope) {
  std::string canonical = request.method + "\n/\n\n";
  std::string names;
  for (const auto& [name, value] : request.headers) {
    absl::StrAppend(&canonical, name, ":", value, "\n");
    absl::StrAppend(&names, names.empty() ? "" : ";", name);
  }
  absl::StrAppend(&canonical, "\n", names, "\n", Sha256Hex(request.body));
  const std::string whole_scope = absl::StrCat(ToAbsl(scope), "/aws4_request");
  const std::string to_sign = absl::StrCat("AWS4-HMAC-SHA256\n", request.headers.at("x-amz-date"),
                                           "\n", whole_scope, "\n", Sha256Hex(canonical));
  std::string key = "AWS4" + std::string(secret);
  for (std::size_t at = 0; at < whole_scope.size();) {
    const std::size_t end = std::min(whole_scope.find('/', at), whole_scope.size());
    key = Hmac(key, std::string_view(whole_scope).substr(at, end - at));
    at = end + 1;
  }
  return Hex(Hmac(key, to_sign));
}

}  // namespace daybook::sqs::testing
