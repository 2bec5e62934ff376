#include <atomic>
#include <cmath>
#include <memory>
#include <thread>

#include "annbench_family.hpp"
#include "hnswlib/hnswlib.h"

struct HNSW : annbench::Family {
  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;
  size_t dim = 0;
  bool scale = false;
  std::vector<float> scaled;

  HNSW() { library = "hnswlib", version = "0.8.0", metrics = {"l2", "cosine", "ip"}, can_save = true; }

  void prepare(const std::string& metric, size_t d) {
    dim = d, scale = metric == "cosine", scaled.resize(d);
    if (metric == "l2") space.reset(new hnswlib::L2Space(d));
    else space.reset(new hnswlib::InnerProductSpace(d));
  }
  const float* ready(const float* v, float* to) const {
    if (!scale) return v;
    float sum = 0;
    for (size_t i = 0; i < dim; ++i) sum += v[i] * v[i];
    float by = 1 / (std::sqrt(sum) + 1e-30f);
    for (size_t i = 0; i < dim; ++i) to[i] = v[i] * by;
    return to;
  }
  void build(const annbench::Input& in) override {
    prepare(in.metric, in.dim);
    index.reset(new hnswlib::HierarchicalNSW<float>(space.get(), in.rows, in.settings.integer("M"), in.settings.integer("efConstruction"), in.seed));
    std::atomic<size_t> next{0};
    auto add = [&] {
      std::vector<float> own(dim);
      for (size_t i; (i = next++) < in.rows;) index->addPoint(ready(in.vectors + i * dim, own.data()), i);
    };
    std::vector<std::thread> others;
    for (int t = 1; t < in.threads; ++t) others.emplace_back(add);
    add();
    for (auto& t : others) t.join();
  }
  void set(const annbench::Settings& s) override { index->setEf(s.integer("ef")); }
  size_t query(const float* q, size_t k, int64_t* ids) override {
    auto found = index->searchKnn(ready(q, scaled.data()), k);
    size_t n = found.size();
    for (size_t i = n; i > 0; found.pop()) ids[--i] = found.top().second;  // farthest first
    return n;
  }
  void save(const std::string& folder) override {
    index->saveIndex(folder + "/index");
    std::ofstream(folder + "/dim") << dim;
  }
  void load(const std::string& folder, const annbench::Input& in) override {
    size_t d = 0;
    std::ifstream(folder + "/dim") >> d;
    prepare(in.metric, d);
    index.reset(new hnswlib::HierarchicalNSW<float>(space.get(), folder + "/index"));
  }
};

int main() { return annbench::serve<HNSW>(); }
