// SPDX-License-Identifier: MIT
// A block's threads in turn, each on a stack of its own once they wait for one
// another. The C library's checked longjmp refuses to go to another stack.
#undef _FORTIFY_SOURCE
#include <cuda_runtime_api.h>
#include <setjmp.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>

namespace {

constexpr size_t kStackBytes = size_t{256} << 10;

// The address sanitizer is told of each change of stacks.
#if defined(__SANITIZE_ADDRESS__)
void Leave(void** kept, const void* to, size_t bytes) {
  __sanitizer_start_switch_fiber(kept, to, bytes);
}
void Arrive(void* kept, const void** from, size_t* bytes) {
  __sanitizer_finish_switch_fiber(kept, from, bytes);
}
#else
void Leave(void**, const void*, size_t) {}
void Arrive(void*, const void**, size_t*) {}
#endif

struct Fiber {
  jmp_buf place;  // where it goes on
  std::unique_ptr<char[]> stack;
  bool done = false;
  void* kept = nullptr;  // the sanitizer's
};

const void* main_stack = nullptr;
size_t main_bytes = 0;
void* main_kept = nullptr;

jmp_buf scheduler;
Fiber* running = nullptr;
const std::function<void()>* kernel_thread = nullptr;

[[noreturn]] void Diverged() {
  std::fputs("__syncthreads: some threads of a block came, others did not\n",
             stderr);
  std::abort();
}

void Pause() {
  Fiber* const fiber = running;
  Leave(&fiber->kept, main_stack, main_bytes);
  if (_setjmp(fiber->place) == 0) _longjmp(scheduler, 1);
  Arrive(fiber->kept, &main_stack, &main_bytes);
}

ucontext_t home;  // where Prepare waits

// One thread after another, of this block and the next ones.
void Body() {
  Arrive(nullptr, &main_stack, &main_bytes);
  Fiber* const fiber = running;
  Leave(&fiber->kept, main_stack, main_bytes);
  if (_setjmp(fiber->place) == 0) setcontext(&home);
  Arrive(fiber->kept, &main_stack, &main_bytes);
  for (;;) {
    (*kernel_thread)();
    running->done = true;
    Pause();
  }
}

// Gives it a stack and goes there and back, as only ucontext can. That makes
// system calls, though, and there are thousands of switches, which therefore
// jump.
void Prepare(Fiber& fiber) {
  ucontext_t context;
  fiber.stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, Body, 0);
  Leave(&main_kept, fiber.stack.get(), kStackBytes);
  swapcontext(&home, &context);
  Arrive(main_kept, nullptr, nullptr);
}

// Until it waits or ends.
void Resume(Fiber& fiber, dim3 index) {
  threadIdx = index;
  running = &fiber;
  if (!fiber.stack) Prepare(fiber);
  Leave(&main_kept, fiber.stack.get(), kStackBytes);
  if (_setjmp(scheduler) == 0) _longjmp(fiber.place, 1);
  Arrive(main_kept, nullptr, nullptr);
  running = nullptr;
}

void Start(Fiber& fiber, dim3 index) {
  fiber.done = false;
  Resume(fiber, index);
}

dim3 IndexOf(unsigned thread) {
  return {thread % blockDim.x, thread / blockDim.x % blockDim.y,
          thread / blockDim.x / blockDim.y};
}

// The first thread tells whether the block's threads wait for one another.
void RunBlock(std::deque<Fiber>& fibers, unsigned count) {
  Start(fibers[0], {0, 0, 0});
  if (fibers[0].done) {
    for (unsigned t = 1; t < count; ++t) {
      threadIdx = IndexOf(t);
      (*kernel_thread)();
    }
    return;
  }
  for (unsigned t = 1; t < count; ++t) Start(fibers[t], IndexOf(t));
  while (!fibers[0].done) {
    for (unsigned t = 0; t < count; ++t) {
      if (fibers[t].done) Diverged();
    }
    for (unsigned t = 0; t < count; ++t) Resume(fibers[t], IndexOf(t));
  }
  for (unsigned t = 0; t < count; ++t) {
    if (!fibers[t].done) Diverged();
  }
}

}  // namespace

void __syncthreads() {
  if (!running) Diverged();
  Pause();
}

namespace cuda_host {

void RunBlocks(dim3 grid, dim3 block, const std::function<void()>& thread) {
  static std::deque<Fiber> fibers;  // which stay where they are
  const unsigned threads = block.x * block.y * block.z;
  while (fibers.size() < threads) fibers.emplace_back();
  kernel_thread = &thread;
  gridDim = grid;
  blockDim = block;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = {x, y, z};
        RunBlock(fibers, threads);
      }
    }
  }
}

}  // namespace cuda_host
