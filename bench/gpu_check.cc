// SPDX-License-Identifier: MIT
// Tests and measures the CUDA engine and prints one JSON object. Needs a GPU
// and nothing else: no data, no test framework. The script bench/gpu_check
// builds and runs it.
//
//   gpu_check parity     every case of an operation and of training, and the
//                        whole network, against the naive engine
//   gpu_check speed      what the targets are about, bf16
//   gpu_check large      the speed and the memory of batch 1,024
//   gpu_check slices     the same in slices of 512
//   gpu_check more       epochs, the other precisions
//   gpu_check job FILE   the whole job; the weights go to FILE
#include <cmath>
#include <functional>
#include <future>
#include <iostream>
#include <optional>
#include <string>

#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "engine/factories.h"
#include "engine/op_cases.h"
#include "gpu_parity.h"
#include "gpu_speed.h"
#include "gpu_work.h"

namespace alexnet::gpu_check {
namespace {

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Prints `"name": value` pairs; a part that throws becomes its message, and
// the others still run.
class Report {
 public:
  Report() = default;
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  void Add(const std::string& name, const std::function<std::string()>& make) {
    std::string value;
    const auto begin = Clock::now();
    try {
      value = make();
    } catch (const std::exception& error) {
      value = Concat("{\"error\": ", Quoted(error.what()), "}");
      failed_ = true;
    }
    std::cerr << name << ": " << SecondsSince(begin) << " s\n";
    std::cout << (first_ ? "{\n" : ",\n") << "  " << Quoted(name) << ": "
              << value << std::flush;
    first_ = false;
  }
  void Fail() { failed_ = true; }
  int result() const { return failed_ ? 1 : 0; }
  ~Report() { std::cout << (first_ ? "{" : "") << "\n}\n"; }

 private:
  bool first_ = true;
  bool failed_ = false;
};

std::string Text(const Errors& e) {
  return Concat("{\"logits\": ", e.logits, ", \"loss\": ", e.loss,
                ", \"gradients\": ", e.gradients,
                ", \"worst\": ", Quoted(e.worst), "}");
}

std::string Text(const Speed& s) {
  return Concat("{\"images_per_s\": ", s.median, ", \"low\": ", s.low,
                ", \"high\": ", s.high, ", \"setup_s\": ", s.setup_seconds,
                ", \"memory_bytes\": ", s.memory, ", \"gpu_memory_bytes\": ",
                s.in_use ? std::to_string(std::llround(*s.in_use)) : "null",
                ", \"plan\": ", Quoted(s.plan), "}");
}

std::string Text(bool value) { return value ? "true" : "false"; }

void AddCases(Report& report) {
  for (const testing_support::OpCase& c : testing_support::OpCases()) {
    report.Add("case " + c.name, [&] {
      const Trial trial(c.model, c.images, Precision::kFloat32);
      const Errors e =
          Compare(trial, Reference(c.model, c.images, InputsOf(trial)));
      if (!e.Within(LimitsOf(Precision::kFloat32, Algorithms::kExact))) {
        report.Fail();
      }
      return Text(e);
    });
  }
  report.Add("case resize", [&] {
    const double error = CompareResize();
    if (error > 1e-5) report.Fail();
    return Concat(error);
  });
}

void AddTrainingCases(Report& report) {
  report.Add("bfloat16 copy follows", [&] {
    const bool follows = CopyFollowsParameters();
    if (!follows) report.Fail();
    return Text(follows);
  });
  for (const TrainingCase& c : TrainingCases()) {
    report.Add("training case " + c.name, [&] {
      const double error = CompareTraining(c);
      // Adam divides by the root of tiny squares in its first steps.
      if (error > 1e-4) report.Fail();
      return Concat(error);
    });
  }
}

constexpr Precision kPrecisions[] = {Precision::kBfloat16, Precision::kFloat32,
                                     Precision::kTf32};

constexpr int64_t kImages = 2;  // in a batch of the whole network

// The naive network takes its time, in which the GPU does all the rest.
int Parity() {
  Report report;
  report.Add("library", [] {
    return Quoted(MakeEngine(CudaSpec(MakePreset("lenet5"), kCifar, 1,
                                      Precision::kFloat32))
                      ->library());
  });
  const ModelSpec note = MakePreset("note");
  std::shared_future<Expected> expected;
  report.Add("note inputs", [&] {
    expected = std::async(
        std::launch::async,
        [&note, inputs = InputsOf(Trial(note, kImages, Precision::kFloat32))] {
          return Reference(note, kImages, inputs);
        });
    return std::string("true");
  });
  AddCases(report);
  AddTrainingCases(report);
  for (const Precision p : kPrecisions) {
    report.Add(Concat("same bits ", Name(p)), [&] {
      const bool same = SameBits(p);
      if (!same) report.Fail();
      return Text(same);
    });
  }
  const auto add_note = [&](const std::string& name, Precision p,
                            Algorithms algorithms) {
    report.Add("note errors " + name, [&] {
      if (!expected.valid()) throw Error("there are no inputs to compare");
      const Errors e =
          Compare(Trial(note, kImages, p, algorithms), expected.get());
      if (!e.Within(LimitsOf(p, algorithms))) report.Fail();
      return Text(e);
    });
  };
  for (const Precision p : kPrecisions) {
    add_note(std::string(Name(p)), p, Algorithms::kExact);
  }
  add_note("fp32 fast", Precision::kFloat32, Algorithms::kFast);
  return report.result();
}

// In slices of `slice` images, if that is not zero.
void AddSpeed(Report& report, Precision precision, int64_t batch,
              std::optional<double> idle, int64_t slice = 0) {
  EngineSpec spec = CudaSpec(MakePreset("note"), kCifar, batch, precision);
  spec.slice_size = slice;
  report.Add(Concat("training ", Name(precision), " batch ", batch),
             [&] { return Text(MeasureTraining(spec, idle)); });
}

int Speeds() {
  const std::optional<double> idle = GpuMemoryInUse();
  Report report;
  for (const int64_t batch : {32, 128}) {
    AddSpeed(report, Precision::kBfloat16, batch, idle);
  }
  return report.result();
}

// A process of its own for each: what the libraries have loaded stays.
int Large(int64_t slice) {
  const std::optional<double> idle = GpuMemoryInUse();
  Report report;
  AddSpeed(report, Precision::kBfloat16, 1024, idle, slice);
  return report.result();
}

int More() {
  const std::optional<double> idle = GpuMemoryInUse();
  Report report;
  for (const Precision p : {Precision::kBfloat16, Precision::kTf32}) {
    report.Add(Concat("epoch ", Name(p), " seconds"),
               [&] { return Concat(EpochSeconds(p)); });
  }
  for (const Precision p : {Precision::kTf32, Precision::kFloat32}) {
    for (const int64_t batch : {32, 128}) AddSpeed(report, p, batch, idle);
  }
  return report.result();
}

int Main(int count, char** arguments) {
  const std::string part = count > 1 ? arguments[1] : "";
  if (!HasCudaEngine()) {
    std::cerr << "gpu_check: " << CudaProblem() << "\n";
    return 2;
  }
  if (count == 2 && part == "parity") return Parity();
  if (count == 2 && part == "speed") return Speeds();
  if (count == 2 && part == "large") return Large(0);
  if (count == 2 && part == "slices") return Large(512);
  if (count == 2 && part == "more") return More();
  if (count == 3 && part == "job") return WholeJob(arguments[2]);
  std::cerr << "usage: gpu_check parity|speed|large|slices|more|job FILE\n";
  return 2;
}

}  // namespace
}  // namespace alexnet::gpu_check

int main(int count, char** arguments) {
  try {
    return alexnet::gpu_check::Main(count, arguments);
  } catch (const std::exception& error) {
    std::cerr << "gpu_check: " << error.what() << "\n";
    return 1;
  }
}
