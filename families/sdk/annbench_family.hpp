// Makes a C++ library a family of annbench: C++17 and POSIX, no other dependency. A complete family:
//
//   #include "annbench_family.hpp"
//   struct Mine : annbench::Family {
//     Mine() { library = "mylib"; version = "1.0"; metrics = {"l2"}; }
//     void build(const annbench::Input& in) override { index.add(in.vectors, in.rows, in.dim); }
//     void set(const annbench::Settings& s) override { index.ef = s.integer("ef"); }
//     size_t query(const float* q, size_t k, int64_t* ids) override { return index.search(q, k, ids); }  // timed
//     Index index;
//   };
//   int main() { return annbench::serve<Mine>(); }
//
// The protocol is described in docs/reference/external-protocol.md.
#pragma once

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace annbench {

// Settings by name, as annbench checked them against family.yaml.
class Settings {
 public:
  long integer(const std::string& name) const { return std::strtol(at(name).c_str(), nullptr, 10); }
  double number(const std::string& name) const { return std::strtod(at(name).c_str(), nullptr); }
  bool boolean(const std::string& name) const { return at(name) == "true"; }
  const std::string& word(const std::string& name) const { return at(name); }
  std::map<std::string, std::string> values;

 private:
  const std::string& at(const std::string& name) const {
    auto it = values.find(name);
    if (it == values.end()) throw std::runtime_error("no setting " + name);
    return it->second;
  }
};

// What an index is made from.
struct Input {
  // rows × dim numbers, row after row, mapped from a file: they may be changed in place, and stay where
  // they are until the process ends. In load those of build; null only if a saved index is served
  // whose vectors are in no file any more.
  float* vectors = nullptr;
  size_t rows = 0, dim = 0;
  std::string metric;  // l2, cosine or ip
  int threads = 1;
  uint64_t seed = 0;
  Settings settings;  // of build and search
};

// What a family is. build and query must be there; the rest may be. What goes wrong is thrown.
struct Family {
  std::string library, version;
  std::vector<std::string> metrics{"l2"};
  bool can_save = false;  // there are save and load

  virtual ~Family() = default;
  virtual void build(const Input& in) = 0;
  virtual void set(const Settings&) {}
  // Writes the ids of the k nearest to q into ids, nearest first, and returns how many there are.
  virtual size_t query(const float* q, size_t k, int64_t* ids) = 0;
  virtual void save(const std::string& /*folder*/) { throw std::runtime_error("cannot be saved"); }
  virtual void load(const std::string& /*folder*/, const Input&) { throw std::runtime_error("cannot be loaded"); }
};

namespace detail {

// A value of JSON: scalars as text, objects as maps.
struct Value {
  std::string text;
  std::map<std::string, Value> members;
};

class Parser {
 public:
  explicit Parser(const std::string& s) : s_(s) {}
  Value value() {
    space();
    Value v;
    if (peek() == '{') {
      ++i_;
      for (space(); peek() != '}'; space()) {
        if (peek() == ',') { ++i_; continue; }
        std::string key = string();
        space();
        expect(':');
        v.members[key] = value();
      }
      ++i_;
    } else if (peek() == '"') {
      v.text = string();
    } else if (peek() == '[') {
      ++i_;
      for (space(); peek() != ']'; space()) {
        if (peek() == ',') { ++i_; continue; }
        value();  // no request has a list that matters here
      }
      ++i_;
    } else {
      while (i_ < s_.size() && !std::strchr(",}] \t\r\n", s_[i_])) v.text += s_[i_++];
    }
    return v;
  }

 private:
  char peek() const {
    if (i_ >= s_.size()) throw std::runtime_error("the request ends early");
    return s_[i_];
  }
  void space() { while (i_ < s_.size() && std::strchr(" \t\r\n", s_[i_])) ++i_; }
  void expect(char c) {
    if (peek() != c) throw std::runtime_error(std::string("the request lacks a ") + c);
    ++i_;
  }
  std::string string() {
    expect('"');
    std::string out;
    while (peek() != '"') {
      char c = s_[i_++];
      if (c != '\\') { out += c; continue; }
      switch (c = peek(), ++i_, c) {
        case 'n': out += '\n'; break;
        case 't': out += '\t'; break;
        case 'r': out += '\r'; break;
        case 'b': out += '\b'; break;
        case 'f': out += '\f'; break;
        case 'u': {
          unsigned u = std::stoul(s_.substr(i_, 4), nullptr, 16);
          i_ += 4;
          if (u >= 0xD800 && u < 0xDC00) {
            unsigned low = std::stoul(s_.substr(i_ + 2, 4), nullptr, 16);
            i_ += 6;
            u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
          }
          if (u < 0x80) out += char(u);
          else if (u < 0x800) { out += char(0xC0 | u >> 6); out += char(0x80 | (u & 63)); }
          else if (u < 0x10000) { out += char(0xE0 | u >> 12); out += char(0x80 | (u >> 6 & 63)); out += char(0x80 | (u & 63)); }
          else { out += char(0xF0 | u >> 18); out += char(0x80 | (u >> 12 & 63)); out += char(0x80 | (u >> 6 & 63)); out += char(0x80 | (u & 63)); }
          break;
        }
        default: out += c;
      }
    }
    ++i_;
    return out;
  }
  const std::string& s_;
  size_t i_ = 0;
};

inline std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (unsigned char c : s) {
    char b[8];
    if (c == '"' || c == '\\') { out += '\\'; out += char(c); }
    else if (c < 0x20) { std::snprintf(b, sizeof b, "\\u%04x", c); out += b; }
    else out += char(c);
  }
  return out + "\"";
}

inline int64_t clock(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

// Numbers of a file, mapped so that they may be changed without the file being changed.
struct Mapped {
  float* data = nullptr;
  size_t rows = 0, dim = 0, bytes = 0;
  void* at = nullptr;
  explicit Mapped(const Value& m) {
    const std::string& file = m.members.at("file").text;
    size_t offset = std::stoull(m.members.at("offset").text);
    rows = std::stoull(m.members.at("rows").text);
    dim = std::stoull(m.members.at("dim").text);
    bytes = offset + 4 * rows * dim;
    int fd = open(file.c_str(), O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || size_t(st.st_size) < bytes) {
      if (fd >= 0) close(fd);
      throw std::runtime_error(file + ": it is not there, or too short");
    }
    at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    if (at == MAP_FAILED) throw std::runtime_error(file + ": " + std::strerror(errno));
    data = reinterpret_cast<float*>(static_cast<char*>(at) + offset);
  }
  void unmap() { munmap(at, bytes); }
};

inline void write_all(const std::string& path, const void* data, size_t bytes) {
  std::ofstream f(path, std::ios::binary | std::ios::trunc);
  f.write(static_cast<const char*>(data), std::streamsize(bytes));
  f.close();
  if (!f) throw std::runtime_error(path + ": writing failed");
}

inline std::string hello(const Family& f) {
  std::string out = "{\"protocol\":1,\"library\":" + quoted(f.library) + ",\"version\":" + quoted(f.version) + ",\"metrics\":[";
  for (size_t i = 0; i < f.metrics.size(); ++i) out += (i ? "," : "") + quoted(f.metrics[i]);
  return out + "],\"can\":[\"settle\"" + (f.can_save ? ",\"save\"" : "") + "]}";
}

inline Settings settings(const Value& r) {
  Settings s;
  auto it = r.members.find("settings");
  if (it != r.members.end()) for (auto& m : it->second.members) s.values[m.first] = m.second.text;
  return s;
}

inline std::string took(int64_t wall, int64_t cpu) {
  return "{\"wall_ns\":" + std::to_string(wall < 1 ? 1 : wall) + ",\"cpu_ns\":" + std::to_string(cpu) + "}";
}

inline std::string make(Family& f, const Value& r) {
  Input in;
  auto v = r.members.find("vectors");
  if (v != r.members.end()) {
    Mapped m(v->second);  // stays
    in.vectors = m.data, in.rows = m.rows, in.dim = m.dim;
  }
  in.metric = r.members.at("metric").text;
  auto number = [&](const char* name, uint64_t otherwise) {
    auto it = r.members.find(name);
    return it == r.members.end() ? otherwise : uint64_t(std::stoull(it->second.text));
  };
  in.threads = int(number("threads", 1));
  in.seed = number("seed", 0);
  in.settings = settings(r);
  bool building = r.members.at("do").text == "build";
  if (building) {  // the pages are in memory before the clock starts
    volatile float sum = 0;
    for (size_t i = 0; i < in.rows * in.dim; i += 1024) sum = sum + in.vectors[i];
  }
  int64_t wall = clock(CLOCK_MONOTONIC), cpu = clock(CLOCK_PROCESS_CPUTIME_ID);
  if (building) f.build(in); else f.load(r.members.at("path").text, in);
  std::string reply = took(clock(CLOCK_MONOTONIC) - wall, clock(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  f.set(in.settings);
  return reply;
}

inline std::string search(Family& f, const Value& r) {
  Mapped m(r.members.at("queries"));
  size_t first = std::stoull(r.members.at("first").text), count = std::stoull(r.members.at("count").text), k = std::stoull(r.members.at("k").text);
  if (r.members.count("batch")) throw std::runtime_error("there is no batch search");
  if (first + count > m.rows) throw std::runtime_error("there are not so many queries");
  std::vector<int64_t> ids(count * k, -1), times(count);
  std::vector<size_t> found(count);
  int64_t wall = clock(CLOCK_MONOTONIC), cpu = clock(CLOCK_PROCESS_CPUTIME_ID);
  for (size_t i = 0; i < count; ++i) {
    const float* q = m.data + (first + i) * m.dim;
    int64_t start = clock(CLOCK_MONOTONIC);
    found[i] = f.query(q, k, ids.data() + i * k);
    times[i] = clock(CLOCK_MONOTONIC) - start;
  }
  std::string reply = took(clock(CLOCK_MONOTONIC) - wall, clock(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  for (size_t i = 0; i < count; ++i)
    for (size_t j = found[i]; j < k; ++j) ids[i * k + j] = -1;
  m.unmap();
  write_all(r.members.at("ids").text, ids.data(), 8 * ids.size());
  write_all(r.members.at("times").text, times.data(), 8 * times.size());
  return reply;
}

}  // namespace detail

// Answers annbench until it is done, and returns what main should return. Standard output is taken for the
// protocol: what libraries print goes to standard error.
template <class F>
int serve() {
  using namespace detail;
  FILE* out = fdopen(dup(1), "w");
  dup2(2, 1);
  std::unique_ptr<Family> f;
  for (std::string line; std::getline(std::cin, line);) {
    std::string reply = "{}", what;
    try {
      Value r = Parser(line).value();
      what = r.members.at("do").text;
      if (what == "hello") {
        f.reset(new F());
        reply = hello(*f);
      } else if (what == "build" || what == "load") {
        reply = make(*f, r);
      } else if (what == "save") {
        f->save(r.members.at("path").text);
      } else if (what == "set") {
        f->set(settings(r));
      } else if (what == "search") {
        reply = search(*f, r);
      } else if (what == "settle") {
#ifdef __GLIBC__
        malloc_trim(0);
#endif
      } else if (what != "done") {
        reply = "{\"error\":" + quoted("unknown request " + what) + "}";
      }
    } catch (const std::exception& e) {
      reply = "{\"error\":" + quoted(e.what()) + "}";
    }
    std::fprintf(out, "%s\n", reply.c_str());
    std::fflush(out);
    if (what == "done") return 0;
  }
  return 0;
}

}  // namespace annbench
