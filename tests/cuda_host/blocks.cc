// SPDX-License-Identifier: MIT
// A block's threads in turn, each on a stack of its own once they wait for one
// another. The C library's checked longjmp refuses to go to another stack.
#undef _FORTIFY_SOURCE
#include <cuda_runtime_api.h>
#include <setjmp.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

namespace {

constexpr size_t kStackBytes = size_t{256} << 10;

struct Fiber {
  jmp_buf place;  // where it goes on
  std::unique_ptr<char[]> stack;
  bool done = false;
};

jmp_buf scheduler;
Fiber* running = nullptr;
const std::function<void()>* kernel_thread = nullptr;

[[noreturn]] void Diverged() {
  std::fputs("__syncthreads: some threads of a block came, others did not\n",
             stderr);
  std::abort();
}

void Pause() {
  if (_setjmp(running->place) == 0) _longjmp(scheduler, 1);
}

// One thread after another, of this block and the next ones.
void Body() {
  for (;;) {
    (*kernel_thread)();
    running->done = true;
    Pause();
  }
}

// On a new stack, as only ucontext can begin; it makes system calls, though,
// and there are thousands of switches, which therefore jump.
void Begin(Fiber& fiber) {
  ucontext_t context;
  ucontext_t unused;
  fiber.stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, Body, 0);
  swapcontext(&unused, &context);
}

// Until it waits or ends.
void Resume(Fiber& fiber, dim3 index) {
  threadIdx = index;
  running = &fiber;
  if (_setjmp(scheduler) == 0) {
    fiber.stack ? _longjmp(fiber.place, 1) : Begin(fiber);
  }
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
void RunBlock(std::span<Fiber> fibers) {
  Start(fibers[0], {0, 0, 0});
  const auto count = static_cast<unsigned>(fibers.size());
  if (fibers[0].done) {
    for (unsigned t = 1; t < count; ++t) {
      threadIdx = IndexOf(t);
      (*kernel_thread)();
    }
    return;
  }
  for (unsigned t = 1; t < count; ++t) Start(fibers[t], IndexOf(t));
  while (!fibers[0].done) {
    for (const Fiber& fiber : fibers) {
      if (fiber.done) Diverged();
    }
    for (unsigned t = 0; t < count; ++t) Resume(fibers[t], IndexOf(t));
  }
  for (const Fiber& fiber : fibers) {
    if (!fiber.done) Diverged();
  }
}

}  // namespace

void __syncthreads() {
  if (!running) Diverged();
  Pause();
}

namespace cuda_host {

void RunBlocks(dim3 grid, dim3 block, const std::function<void()>& thread) {
  static std::vector<Fiber> fibers;
  const size_t threads = size_t{block.x} * block.y * block.z;
  if (fibers.size() < threads) fibers.resize(threads);
  kernel_thread = &thread;
  gridDim = grid;
  blockDim = block;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = {x, y, z};
        RunBlock(std::span(fibers).first(threads));
      }
    }
  }
}

}  // namespace cuda_host
