// Measures the peak arithmetic rate of the cores that this process may use: fp32 FMA, bf16 and int8 dot products, in
// 1e9 operations per second (a multiply-add counts as two), 0 if the CPU lacks the instruction. Also measures apart_ns,
// the time of a written cache line from the first core to the second, 0 for one thread.
//
// Usage: peak [THREADS] [SECONDS]. Prints one JSON object.
#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include <sched.h>

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Twelve independent accumulators cover a latency of up to six cycles at two instructions per cycle.
#define EFFNET_LOOP(INS, R)                                                                                            \
  asm volatile("1:\n" INS " %%" R "14,%%" R "15,%%" R "0\n" INS " %%" R "14,%%" R "15,%%" R "1\n" INS " %%" R          \
               "14,%%" R "15,%%" R "2\n" INS " %%" R "14,%%" R "15,%%" R "3\n" INS " %%" R "14,%%" R "15,%%" R         \
               "4\n" INS " %%" R "14,%%" R "15,%%" R "5\n" INS " %%" R "14,%%" R "15,%%" R "6\n" INS " %%" R "14,%%" R \
               "15,%%" R "7\n" INS " %%" R "14,%%" R "15,%%" R "8\n" INS " %%" R "14,%%" R "15,%%" R "9\n" INS " %%" R \
               "14,%%" R "15,%%" R "10\n" INS " %%" R "14,%%" R "15,%%" R                                              \
               "11\n"                                                                                                  \
               "sub $1,%0\njnz 1b\n"                                                                                   \
               : "+r"(n)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",        \
                 "xmm10", "xmm11", "xmm14", "xmm15")
// The operands are zero: no denormals, and the same power in each run.
#define EFFNET_ZERO asm volatile("vpxor %%xmm14,%%xmm14,%%xmm14\nvpxor %%xmm15,%%xmm15,%%xmm15" ::: "xmm14", "xmm15")

void fma_zmm(long n) {
  EFFNET_ZERO;
  EFFNET_LOOP("vfmadd231ps", "zmm");
}
void fma_ymm(long n) {
  EFFNET_ZERO;
  EFFNET_LOOP("vfmadd231ps", "ymm");
}
void bf16_zmm(long n) {
  EFFNET_ZERO;
  EFFNET_LOOP("vdpbf16ps", "zmm");
}
void int8_zmm(long n) {
  EFFNET_ZERO;
  EFFNET_LOOP("vpdpbusd", "zmm");
}

// The rate of all threads together: the best of several windows of about 10 ms.
double rate(void (*loop)(long), double operations, int threads, double seconds) {
  const long n = 400000;
  double best = 0;
  const double end = seconds_now() + seconds;
  do {
    std::atomic<int> ready{0};
    std::vector<std::thread> pool;
    std::vector<double> took(threads);
    for (int i = 0; i < threads; ++i) {
      pool.emplace_back([&, i] {
        ++ready;
        while (ready < threads) {
        }
        const double start = seconds_now();
        loop(n);
        took[i] = seconds_now() - start;
      });
    }
    double sum = 0;
    for (int i = 0; i < threads; ++i) {
      pool[i].join();
      sum += 12.0 * n * operations / took[i];
    }
    best = std::max(best, sum);
  } while (seconds_now() < end);
  return best / 1e9;
}

// The processors that this process may use, in ascending order.
std::vector<int> processors() {
  cpu_set_t set;
  std::vector<int> result;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return result;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) result.push_back(i);
  }
  return result;
}

void stay_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  sched_setaffinity(0, sizeof set, &set);
}

// On Zen 4: 30 to 100 ns between cores that share an L3 cache, 300 ns otherwise. The cores of a virtual machine may
// share a cache now and not share it a second later.
double apart_ns() {
  const std::vector<int> cores = processors();
  if (cores.size() < 2) return 0;
  constexpr int kRounds = 4000;
  alignas(128) std::atomic<int> turn{0};
  std::thread other([&] {
    stay_on(cores[1]);
    for (int i = 0; i < kRounds; ++i) {
      while (turn.load(std::memory_order_acquire) != 2 * i + 1) {
      }
      turn.store(2 * i + 2, std::memory_order_release);
    }
  });
  double took = 0;
  std::thread first([&] {
    stay_on(cores[0]);
    double start = 0;
    for (int i = 0; i < kRounds; ++i) {
      if (i == kRounds / 4) start = seconds_now();
      turn.store(2 * i + 1, std::memory_order_release);
      while (turn.load(std::memory_order_acquire) != 2 * i + 2) {
      }
    }
    took = seconds_now() - start;
  });
  first.join();
  other.join();
  return took / (kRounds - kRounds / 4) / 2 * 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 0.05;
  const bool wide = __builtin_cpu_supports("avx512f");
  const bool fma = __builtin_cpu_supports("fma");
  const double fp32 = wide ? rate(fma_zmm, 32, threads, seconds) : fma ? rate(fma_ymm, 16, threads, seconds) : 0;
  const double bf16 = __builtin_cpu_supports("avx512bf16") ? rate(bf16_zmm, 64, threads, seconds) : 0;
  const double int8 = __builtin_cpu_supports("avx512vnni") ? rate(int8_zmm, 128, threads, seconds) : 0;
  std::printf("{\"threads\": %d, \"fp32\": %.1f, \"bf16\": %.1f, \"int8\": %.1f, \"apart_ns\": %.0f}\n", threads, fp32,
              bf16, int8, threads > 1 ? apart_ns() : 0);
}
