// run-onednn NAME WxH INPUT OUTPUT THREADS RUNS direct|winograd|u8: oneDNN, the
// layers that network.py listed in NAME.layers and NAME.weights, in whatever
// layouts it likes best. Prints {"times": [ms, ...]}; see compare-peers.sh.
// u8: convolutions of 8-bit maps and weights, activated ones to 8 bits, by one
// scale: for the time that it takes; the output means nothing.
//
// SPDX-License-Identifier: MIT
#include <omp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <sstream>
#include <string>
#include <vector>

using namespace dnnl;
using Tag = memory::format_tag;
using Type = memory::data_type;

namespace {

enum class Way { direct, winograd, u8 };

engine cpu(engine::kind::cpu, 0);
stream queue(cpu);
std::vector<std::function<void()>> steps;
std::map<std::string, memory> maps;

memory::desc plain(memory::dims dims) {
  return memory::desc(dims, Type::f32, Tag::nchw);
}

memory read_values(std::ifstream &file, const memory::desc &desc) {
  memory values(desc, cpu);
  file.read(static_cast<char *>(values.get_data_handle()), desc.get_size());
  return values;
}

// @from in the layout @desc, each time that the network runs.
memory reorder_to(memory from, const memory::desc &desc) {
  if (from.get_desc() == desc)
    return from;
  memory to(desc, cpu);
  reorder step(from, to);
  steps.push_back([=]() mutable { step.execute(queue, from, to); });
  return to;
}

// Weights, once; times @scale where they become integers.
memory pack(memory from, const memory::desc &desc, float scale = 1) {
  if (from.get_desc() == desc)
    return from;
  memory to(desc, cpu);
  primitive_attr attributes;
  if (scale != 1)
    attributes.set_output_scales(0, {scale});
  reorder(reorder::primitive_desc(from, to, attributes))
      .execute(queue, from, to);
  queue.wait();
  return to;
}

void add_prelu(memory map, memory slope) {
  const memory::dim channels = map.get_desc().dims()[1];
  prelu_forward::primitive_desc desc(
      prelu_forward::desc(prop_kind::forward_inference, map.get_desc(),
          memory::desc({1, channels, 1, 1}, Type::f32, Tag::any)),
      cpu);
  memory packed = pack(slope, desc.weights_desc());
  prelu_forward step(desc);
  steps.push_back([=]() mutable {
    step.execute(queue, {{DNNL_ARG_SRC, map}, {DNNL_ARG_WEIGHTS, packed},
                            {DNNL_ARG_DST, map}});
  });
}

memory add_conv(memory from, memory weight, memory bias, Way way,
    const std::string &activation, float low) {
  auto w = weight.get_desc().dims(), in = from.get_desc().dims();
  memory::dims out = {1, w[0], in[2], in[3]}, pad = {w[2] / 2, w[2] / 2};
  auto any = [](const memory::dims &dims, Type type) {
    return memory::desc(dims, type, Tag::any);
  };
  const bool is_u8 = way == Way::u8;
  const Type from_type = is_u8 ? Type::u8 : Type::f32;
  const Type to_type =
      is_u8 && activation != "none" ? Type::u8 : Type::f32;
  primitive_attr attributes;
  if (is_u8)
    attributes.set_output_scales(0, {1.f / 128});
  if (activation == "leaky-relu") {
    post_ops after;
    after.append_eltwise(1.f, algorithm::eltwise_relu, low, 0.f);
    attributes.set_post_ops(after);
  }
  auto describe = [&](algorithm a) {
    return convolution_forward::primitive_desc(
        convolution_forward::desc(prop_kind::forward_inference, a,
            any(in, from_type), any(w, is_u8 ? Type::s8 : Type::f32),
            bias.get_desc(), any(out, to_type), {1, 1}, pad, pad),
        attributes, cpu);
  };
  convolution_forward::primitive_desc desc;
  try {
    desc = describe(way == Way::winograd ? algorithm::convolution_winograd
                                         : algorithm::convolution_direct);
  } catch (const dnnl::error &) {
    desc = describe(algorithm::convolution_direct);
  }
  memory source = reorder_to(from, desc.src_desc());
  memory packed = pack(weight, desc.weights_desc(), is_u8 ? 127 : 1);
  memory to(desc.dst_desc(), cpu);
  convolution_forward step(desc);
  steps.push_back([=]() mutable {
    step.execute(queue, {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, packed},
                            {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, to}});
  });
  return to;
}

memory add_sum(memory a, memory b) {
  b = reorder_to(b, a.get_desc());
  memory to(a.get_desc(), cpu);
  binary step({{algorithm::binary_add, a.get_desc(), b.get_desc(),
                   to.get_desc()},
      cpu});
  steps.push_back([=]() mutable {
    step.execute(queue, {{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b},
                            {DNNL_ARG_DST, to}});
  });
  return to;
}

// Pixel shuffle, or the pixels repeated: what oneDNN does not have.
memory add_enlarged(memory from, long factor, bool shuffle) {
  auto in = from.get_desc().dims();
  memory source = reorder_to(from, plain(in));
  long channels = shuffle ? in[1] / factor / factor : in[1];
  long height = in[2], width = in[3];
  memory to(plain({1, channels, height * factor, width * factor}), cpu);
  steps.push_back([=]() {
    auto *s = static_cast<const float *>(source.get_data_handle());
    auto *d = static_cast<float *>(to.get_data_handle());
#pragma omp parallel for collapse(2)
    for (long c = 0; c < channels; c++)
      for (long y = 0; y < height * factor; y++)
        for (long p = 0; p < factor; p++) {
          long plane = shuffle ? (c * factor + y % factor) * factor + p : c;
          const float *row = s + (plane * height + y / factor) * width;
          float *output = d + (c * height * factor + y) * width * factor + p;
          for (long x = 0; x < width; x++)
            output[x * factor] = row[x];
        }
  });
  return to;
}

void add_layers(const std::string &name, Way way) {
  std::ifstream layers(name + ".layers");
  std::ifstream weights(name + ".weights", std::ios::binary);
  for (std::string text; std::getline(layers, text);) {
    std::istringstream line(text);
    std::string kind, layer, input, other, activation;
    float low;
    memory map;
    line >> kind >> layer >> input;
    memory from = maps.at(input);
    if (kind == "conv") {
      memory::dim in, out, side;
      line >> in >> out >> side >> activation >> low;
      memory weight = read_values(weights,
          memory::desc({out, in, side, side}, Type::f32, Tag::oihw));
      memory bias = read_values(
          weights, memory::desc({out}, Type::f32, Tag::x));
      map = add_conv(from, weight, bias, way, activation, low);
    } else if (kind == "add") {
      line >> other >> activation >> low;
      map = add_sum(from, maps.at(other));
    } else {
      long factor;
      line >> factor >> activation >> low;
      map = add_enlarged(from, factor, kind == "shuffle");
    }
    if (activation == "prelu") {
      memory::dim channels = map.get_desc().dims()[1];
      add_prelu(map, read_values(weights, plain({1, channels, 1, 1})));
    } else if (activation == "leaky-relu" && kind != "conv") {
      eltwise_forward step({{prop_kind::forward_inference,
                                algorithm::eltwise_relu, map.get_desc(), low},
          cpu});
      steps.push_back([=]() mutable {
        step.execute(queue, {{DNNL_ARG_SRC, map}, {DNNL_ARG_DST, map}});
      });
    }
    maps[layer] = maps["output"] = map;
  }
}

}  // namespace

int main(int argc, char **argv) {
  long width, height;
  if (argc != 8 || std::sscanf(argv[2], "%ldx%ld", &width, &height) != 2) {
    std::fprintf(stderr, "run-onednn: see compare-peers.sh\n");
    return 2;
  }
  omp_set_num_threads(std::atoi(argv[5]));
  std::ifstream input(argv[3], std::ios::binary);
  maps["input"] = read_values(input, plain({1, 3, height, width}));
  const std::string way = argv[7];
  add_layers(argv[1], way == "winograd" ? Way::winograd
                      : way == "u8"     ? Way::u8
                                        : Way::direct);
  memory map = maps.at("output");
  memory result = reorder_to(map, plain(map.get_desc().dims()));

  std::printf("{\"times\": [");
  for (int i = -2, runs = std::atoi(argv[6]); i < runs; i++) {
    auto start = std::chrono::steady_clock::now();
    for (auto &step : steps)
      step();
    queue.wait();
    std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - start;
    if (i >= 0)
      std::printf("%s%.3f", i ? ", " : "", time.count());
  }
  std::printf("]}\n");
  std::ofstream output(argv[4], std::ios::binary);
  output.write(static_cast<const char *>(result.get_data_handle()),
      result.get_desc().get_size());
  return output.good() ? 0 : 1;
}
