// Fibers: a warp's lanes run in an order that the seed shuffles, each until it waits for its warp, for its block or ends; warps take
// turns in a shuffled order too. A block in which nobody can go on is a deadlock, reported with who waits where.
#include "block.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

using cudasim::ThreadState;
using cudasim::Wait;

// Saves the callee-saved registers on the stack, swaps stacks. From: System V x86-64 calling convention. Threads keep r15, their state. Who
// is gone to continues by a jump: a return would be predicted to go back to where the switch was called.
extern "C" void cudasim_resume(ThreadState* thread);
extern "C" void cudasim_yield(ThreadState* thread);
static_assert(offsetof(ThreadState, stack) == 0 && offsetof(ThreadState, scheduler) == 8);
asm(R"(
.text
.globl cudasim_resume
.hidden cudasim_resume
.type cudasim_resume, @function
cudasim_resume:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq 8(%rdi), %rax
  movq %rsp, (%rax)
  movq (%rdi), %rsp
  movq %rdi, %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size cudasim_resume, .-cudasim_resume

.globl cudasim_yield
.hidden cudasim_yield
.type cudasim_yield, @function
cudasim_yield:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  movq %rsp, (%rdi)
  movq 8(%rdi), %rax
  movq (%rax), %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size cudasim_yield, .-cudasim_yield
)");

namespace sim {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kCacheLine = 64;
constexpr size_t kSharedBytes = 256 * 1024;

}  // namespace

// What a worker thread is doing, for the handlers of what goes wrong.
struct Active {
  sigjmp_buf recover;
  bool on = false;
  void* scheduler = nullptr;  // stack pointer of the scheduler while a fiber runs
  ThreadState* thread = nullptr;
  const Launch* launch = nullptr;
  BlockRunner* runner = nullptr;
  const std::string* name = nullptr;
  Failure failure;
  uintptr_t address = 0, instruction = 0;
  bool write = false;
};

namespace {

thread_local Active active;
struct sigaction previous_segv, previous_bus, previous_fpe;

bool is_same(cudasim::Place a, cudasim::Place b) { return a.line == b.line && (a.file == b.file || strcmp(a.file, b.file) == 0); }

uint64_t next_random(uint64_t& state) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::string where(const ThreadState* thread) {
  const auto& b = thread->block;
  return "block (" + std::to_string(b.x) + ", " + std::to_string(b.y) + ", " + std::to_string(b.z) + "), thread " +
         std::to_string(thread->thread.x);
}

// The source line of an instruction, from the debug information of the kernel's library.
std::string source_line(uintptr_t instruction) {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(instruction), &info) || !info.dli_fname) return "";
  char command[512];
  snprintf(command, sizeof command, "addr2line -e %s 0x%zx 2>/dev/null", info.dli_fname,
           instruction - reinterpret_cast<uintptr_t>(info.dli_fbase));
  std::string line;
  if (FILE* pipe = popen(command, "r")) {
    char buffer[512];
    if (fgets(buffer, sizeof buffer, pipe)) line = buffer;
    pclose(pipe);
  }
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  if (line.empty() || line[0] == '?') return "";
  const auto slash = line.rfind('/');
  return " at " + (slash == std::string::npos ? line : line.substr(slash + 1));
}

void handle(int signal, siginfo_t* info, void* context) {
  if (active.on) {
    const auto* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    active.instruction = static_cast<uintptr_t>(registers[REG_RIP]);
    active.write = (registers[REG_ERR] & 2) != 0;
    // A vector access that is not aligned has no address.
    active.failure.status = signal == SIGFPE ? kLaunchFailed : info->si_code == SI_KERNEL ? kMisalignedAddress : kIllegalAddress;
    active.address = reinterpret_cast<uintptr_t>(info->si_addr);
    siglongjmp(active.recover, 1);
  }
  const auto& previous = signal == SIGSEGV ? previous_segv : signal == SIGBUS ? previous_bus : previous_fpe;
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
    ::signal(signal, SIG_DFL);
  } else {
    previous.sa_handler(signal);
  }
}

bool is_guard_of(const ThreadState* thread, uintptr_t address) {
  return thread && address >= thread->guard && address < thread->guard + kPage;
}

Failure report() {
  Failure failure = active.failure;
  const std::string name = active.launch ? active.launch->name : *active.name;
  const std::string who = active.thread ? ", " + where(active.thread) : "";
  if (!failure.report.empty()) {
    failure.report = name + who + ": " + failure.report;
  } else if (failure.status == kLaunchFailed) {
    failure.report = name + who + " divides an integer by zero" + source_line(active.instruction);
  } else if (is_guard_of(active.thread, active.address)) {
    failure.status = kLaunchFailed;
    failure.report =
        name + who + ": the stack of " + std::to_string(cudasim::kStackBytes / 1024) + " KiB is full" + source_line(active.instruction);
  } else if (failure.status == kMisalignedAddress) {
    failure.report = name + who + ": an address is not a multiple of the access's size" + source_line(active.instruction);
  } else {
    failure.report =
        name + who + (active.write ? " writes " : " reads ") + Device::get().describe(active.address) + source_line(active.instruction);
  }
  return failure;
}

std::string line_of(cudasim::Place at) {
  const char* slash = strrchr(at.file, '/');
  return "line " + std::to_string(at.line) + " of " + (slash ? slash + 1 : at.file);
}

[[noreturn]] void fail(ThreadState*, const char* message, cudasim::Place at, int status) {
  active.failure = {status, std::string(message) + " (" + line_of(at) + ")"};
  siglongjmp(active.recover, 1);
}

}  // namespace

// From a kernel to the log of its block.
struct CounterHooks {
  static void access(ThreadState* thread, const void* site, const void* address, size_t bytes) {
    const auto* at = static_cast<const unsigned char*>(address);
    const bool is_shared = at >= thread->shared && at < thread->shared + thread->shared_bytes;
    // Everything else is the thread's stack, or constants.
    if (is_shared || Device::get().owns(address))
      active.runner->counters_.access(thread->thread.x, site,
                                      is_shared ? static_cast<uintptr_t>(at - thread->shared) : reinterpret_cast<uintptr_t>(at), bytes,
                                      is_shared);
  }
  static void enter(ThreadState* thread, const void* site) { active.runner->counters_.enter(thread->thread.x, site); }
  static void multiply(ThreadState*, unsigned long long operations) { active.runner->counters_.multiply(operations); }
};

namespace {

const cudasim::Runtime runtime = {cudasim_yield, fail, CounterHooks::access, CounterHooks::enter, CounterHooks::multiply};

// The first frame of a fiber.
void entry() {
  ThreadState* thread = cudasim::self();
  active.launch->run(active.launch->parameters);
  thread->wait = Wait::Done;
  cudasim_yield(thread);
  abort();
}

}  // namespace

BlockRunner::BlockRunner() : active_(active) {
  auto* region = static_cast<unsigned char*>(mmap(nullptr, kSharedBytes + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (region == MAP_FAILED) abort();
  mprotect(region + kPage, kSharedBytes, PROT_READ | PROT_WRITE);
  shared_end_ = region + kPage + kSharedBytes;

  // A thread whose stack is full has no room for the handler.
  stack_t stack = {};
  stack.ss_size = 64 * 1024;
  stack.ss_sp = mmap(nullptr, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, nullptr) != 0) abort();
}

void BlockRunner::prepare(const Launch& launch, uint64_t index) {
  threads_ = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  while (static_cast<int>(stacks_.size()) < threads_) {
    // With a page below that nobody may touch.
    constexpr size_t kBytes = kPage + cudasim::kStackBytes;
    auto* region = static_cast<unsigned char*>(mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (region == MAP_FAILED) abort();
    mprotect(region + kPage, cudasim::kStackBytes, PROT_READ | PROT_WRITE);
    stacks_.push_back(region + kPage);
    pending_.push_back(std::make_unique<cudasim::Asynchronous>());
  }
  if (static_cast<int>(states_.size()) < threads_) states_.resize(static_cast<size_t>(threads_));

  unsigned char* shared = shared_end_ - (launch.shared_bytes + 15) / 16 * 16;
  poison(shared, static_cast<size_t>(shared_end_ - shared));
  const auto& g = launch.grid;
  const cudasim::Index3 block = {static_cast<unsigned>(index % g.x), static_cast<unsigned>(index / g.x % g.y),
                                 static_cast<unsigned>(index / g.x / g.y)};
  for (int i = 0; i < threads_; ++i) {
    auto& state = states_[static_cast<size_t>(i)];
    const auto t = static_cast<unsigned>(i);
    state.thread = {t % launch.block.x, t / launch.block.x % launch.block.y, t / launch.block.x / launch.block.y};
    state.block = block;
    state.block_dim = launch.block;
    state.grid_dim = launch.grid;
    state.runtime = &runtime;
    state.shared = shared;
    state.shared_bytes = launch.shared_bytes;
    state.lane = t % cudasim::kWarp;
    state.wait = Wait::None;
    state.copies = state.group = state.products = state.tiles = 0;
    state.unpublished = false;
    state.pending = pending_[static_cast<size_t>(i)].get();
    state.scheduler = &active_.scheduler;
    state.guard = reinterpret_cast<uintptr_t>(stacks_[static_cast<size_t>(i)]) - kPage;
    // Tops at the same place in each page would share few lines of the cache. What cudasim_resume expects: five registers, then the address
    // to go to. Entered as if called: 16-byte aligned plus 8.
    const size_t shift = t % (kPage / kCacheLine) * kCacheLine;
    auto* top = reinterpret_cast<void**>(stacks_[static_cast<size_t>(i)] + cudasim::kStackBytes - shift);
    top -= 2;
    top[0] = reinterpret_cast<void*>(entry);
    top[1] = nullptr;
    top -= 5;
    std::fill(top, top + 5, nullptr);
    state.stack = top;
  }
}

// Runs lanes until every one waits for the block or has ended. False when none could move.
bool BlockRunner::run_warp(int warp, uint64_t& random) {
  const int first = warp * cudasim::kWarp;
  const int lanes = std::min(cudasim::kWarp, threads_ - first);
  bool moved = false;
  do {
    // An odd step through the 32 lanes meets each once: any start, either direction, neighbours rarely one after the other.
    const auto start = static_cast<unsigned>(next_random(random));
    const unsigned step = start >> 16 | 1;
    for (unsigned i = 0; i < cudasim::kWarp; ++i) {
      const int lane = static_cast<int>((start + i * step) % cudasim::kWarp);
      if (lane >= lanes) continue;
      auto& state = states_[static_cast<size_t>(first + lane)];
      if (state.wait != Wait::None) continue;
      active_.thread = &state;
      cudasim_resume(&state);
      active_.thread = nullptr;
      moved = true;
    }
  } while (complete(warp));
  return moved;
}

// Completes warp operations that all lanes of their mask have reached.
bool BlockRunner::complete(int warp) {
  const int first = warp * cudasim::kWarp;
  const int lanes = std::min(cudasim::kWarp, threads_ - first);
  bool any = false;
  for (int i = 0; i < lanes; ++i) {
    auto& state = states_[static_cast<size_t>(first + i)];
    if (state.wait != Wait::Warp) continue;
    ThreadState* members[cudasim::kWarp] = {};
    bool all = true;
    for (int j = 0; j < cudasim::kWarp && all; ++j) {
      if ((state.mask >> j & 1) == 0) continue;
      auto* other = j < lanes ? &states_[static_cast<size_t>(first + j)] : nullptr;
      all = other && other->wait == Wait::Warp && other->mask == state.mask && other->complete == state.complete &&
            is_same(other->at, state.at);
      members[j] = other;
    }
    if (!all) continue;
    active_.thread = &state;
    state.complete(members);
    active_.thread = nullptr;
    // Every lane that has not ended takes part.
    bool met = true;
    for (int j = 0; j < lanes; ++j) met &= members[j] || states_[static_cast<size_t>(first + j)].wait == Wait::Done;
    if (met) counters_.meet(warp);
    for (auto* member : members)
      if (member) member->wait = Wait::None;
    any = true;
  }
  return any;
}

Failure BlockRunner::deadlock() const {
  std::string text;
  // One example of each place.
  std::vector<std::pair<std::string, Wait>> seen;
  for (int i = 0; i < threads_; ++i) {
    const auto& state = states_[static_cast<size_t>(i)];
    const std::pair<std::string, Wait> place = {state.wait == Wait::Done ? "" : line_of(state.at), state.wait};
    if (std::find(seen.begin(), seen.end(), place) != seen.end() || seen.size() == 6) continue;
    seen.push_back(place);
    text += (text.empty() ? "" : ", ") + ("thread " + std::to_string(i));
    text += state.wait == Wait::Done    ? " has ended"
            : state.wait == Wait::Block ? " waits for the block at " + place.first
                                        : " waits for its warp at " + place.first;
  }
  const auto& b = states_[0].block;
  return {kLaunchFailed,
          "deadlock in block (" + std::to_string(b.x) + ", " + std::to_string(b.y) + ", " + std::to_string(b.z) + "): " + text};
}

Failure BlockRunner::run(const Launch& launch, uint64_t index) {
  prepare(launch, index);
  active.launch = &launch;
  active.runner = this;
  active.thread = nullptr;
  active.failure = {};
  active.on = true;
  counters_.begin(threads_);
  if (sigsetjmp(active.recover, 0) != 0) {
    active.on = false;
    Failure failure = report();
    active.launch = nullptr;
    return failure;
  }

  uint64_t random = launch.seed * 0x2545f4914f6cdd1du + index;
  const int warps = (threads_ + cudasim::kWarp - 1) / cudasim::kWarp;
  order_.resize(static_cast<size_t>(warps));
  for (int i = 0; i < warps; ++i) order_[static_cast<size_t>(i)] = i;
  Failure failure;
  for (;;) {
    for (int i = warps - 1; i > 0; --i)
      std::swap(order_[static_cast<size_t>(i)], order_[next_random(random) % static_cast<unsigned>(i + 1)]);
    bool moved = false;
    for (const int warp : order_) moved |= run_warp(warp, random);

    int waiting = 0, ended = 0;
    const ThreadState* first = nullptr;
    bool same = true;
    for (int i = 0; i < threads_; ++i) {
      const auto& state = states_[static_cast<size_t>(i)];
      ended += state.wait == Wait::Done;
      if (state.wait != Wait::Block) continue;
      if (!first) first = &state;
      same &= is_same(state.at, first->at);
      ++waiting;
    }
    if (ended == threads_) {
      for (int warp = 0; warp < warps; ++warp) counters_.meet(warp);
      counters_.end();
      break;
    }
    // A barrier counts the threads that have not ended; all of them must be at the same one.
    if (waiting + ended == threads_ && same) {
      for (int warp = 0; warp < warps; ++warp) counters_.meet(warp);
      counters_.barrier();
      for (int i = 0; i < threads_; ++i) {
        auto& state = states_[static_cast<size_t>(i)];
        if (state.wait == Wait::Block) state.wait = Wait::None;
      }
      continue;
    }
    if (!moved || waiting + ended == threads_) {
      failure = deadlock();
      failure.report = launch.name + ": " + failure.report;
      break;
    }
  }
  active.on = false;
  active.launch = nullptr;
  return failure;
}

Failure guarded(const std::string& name, const std::function<void()>& work) {
  active.name = &name;
  active.launch = nullptr;
  active.thread = nullptr;
  active.failure = {};
  active.on = true;
  if (sigsetjmp(active.recover, 0) != 0) {
    active.on = false;
    return report();
  }
  work();
  active.on = false;
  return {};
}

void install_signal_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
    sigaction(SIGFPE, &action, &previous_fpe);
  });
}

}  // namespace sim
