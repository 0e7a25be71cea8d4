// The device: one address range, its allocations, its streams and the error that sticks until the context is given back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sim {

// CUresult values that the device produces.
enum Result : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kInvalidHandle = 400,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kMisalignedAddress = 716,
  kLaunchFailed = 719,
  kNotSupported = 801,
  kCaptureUnsupported = 900,
  kCaptureInvalidated = 901,
  kCaptureIsolation = 905,
  kCapturedEvent = 907,
  kCaptureWrongThread = 908,
  kGraphUpdateFailure = 910,
};

struct Failure {
  int status = kSuccess;
  std::string report;
};

// Work that a stream holds; what it returns becomes the device's error.
using Operation = std::function<Failure()>;

enum class NodeKind { Kernel, Copy, Fill, HostFunction };

struct Node {
  NodeKind kind;
  Operation run;
};

struct Graph {
  std::vector<Node> nodes;
};

struct Stream;

struct Event {
  bool timed = true;
  Stream* stream = nullptr;  // where it is still to be reached
  uint64_t ticket = 0;       // the operation of that stream that reaches it
  bool recorded = false;
  Stream* captured = nullptr;  // the stream whose recording it was last put into
  double milliseconds = 0;
};

struct Queued {
  uint64_t ticket;
  Operation run;
};

enum class CaptureMode { Global, ThreadLocal, Relaxed };

struct Stream {
  explicit Stream(bool blocks) : blocks(blocks) {}
  // Work that is yet to run has the tickets in the queue: what has an earlier one is done.
  bool has_done(uint64_t ticket) const { return queue.empty() || queue.front().ticket > ticket; }

  bool blocks;  // waits for the default stream, and it for this one
  std::deque<Queued> queue;
  std::unique_ptr<Graph> capture;
  CaptureMode capture_mode = CaptureMode::Global;
  std::thread::id capture_thread;
  bool capture_failed = false;
};

class Device {
 public:
  static Device& get();

  // Held by every API call: the host sees one call at a time.
  std::recursive_mutex mutex;

  // --- memory ---
  int allocate(size_t bytes, uintptr_t* address);
  int free(uintptr_t address);
  bool owns(const void* pointer) const;
  bool is_inside(uintptr_t address, size_t bytes) const;
  // What lies at an address that nobody may touch.
  std::string describe(uintptr_t address) const;
  size_t total() const { return total_; }
  size_t used() const { return used_; }

  // --- work ---
  // Puts work at the end of a stream, or of what it records.
  void submit(Stream* stream, NodeKind kind, Operation operation);
  // The ticket of work that is no node of a graph: a place in the order of a stream that records nothing.
  uint64_t enqueue(Stream* stream, Operation operation);
  // Runs a stream's work up to and including the operation with this ticket.
  int run_until(Stream* stream, uint64_t ticket);
  int run(Stream* stream) { return run_until(stream, UINT64_MAX); }
  int run_all();
  // What a synchronous copy waits for: the default stream, which waits for every stream that does not say otherwise.
  int run_blocking();
  // The stream that a handle means: null is the default stream. Null where there is no such stream.
  Stream* find(Stream* handle);
  // Calls that wait or allocate must not happen while a stream records; they spoil the recording.
  bool spoils_capture();
  bool is_capturing() const;

  void fail(const Failure& failure);
  int error() const { return failure_.status; }
  const std::string& report() const { return failure_.report; }
  void reset();

  std::vector<std::unique_ptr<Stream>> streams;
  int references = 0;

 private:
  Device();
  struct Block {
    uintptr_t start;
    size_t bytes, pages_start, pages;
    bool live;
  };
  // What was written into the edges between an allocation and its pages; empty where nothing was.
  static std::string written_outside(const Block& block);

  uintptr_t base_, next_;
  size_t total_, used_ = 0;
  std::map<uintptr_t, Block> blocks_;  // by first page, freed ones too
  Failure failure_;
  Stream* default_stream_ = nullptr;
  uint64_t tickets_ = 0;
};

// Fills with what nobody wrote: every 16- and 32-bit number is NaN or −1.
void poison(void* start, size_t bytes);

// The driver's name and text of a status.
const char* name_of(int status);
const char* text_of(int status);

// The status to return instead of running this function, or 0.
int injected_fault(const char* function);

}  // namespace sim

#define SIM_EXPORT extern "C" __attribute__((visibility("default")))
#define SIM_FAULT() \
  if (const int injected = sim::injected_fault(__func__)) return injected
