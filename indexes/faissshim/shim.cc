//go:build faiss

// The shim: what the C API of Faiss lacks, over its C++ headers. Each function stands here for one reason:
//
//   version, options   the C API names neither the version nor what the library was compiled for.
//   settings           which settings an index has, by Faiss's own table (ParameterSpace::initialize):
//                      the C API can set one, and says nothing of those that are there.
//   set                ParameterSpace does not know the search setting of RaBitQ: qb, under which lists are read.
//   search_among       the C API has no selector of a bitmap in its search parameters, and no parameters for
//                      refinement, transforms and RaBitQ. What the index is set to is copied into them.
//   train              Faiss writes a warning to standard error for each clustering with fewer than 39 vectors a
//                      centroid, a line for each part of each code; the number is no setting of the C API.
//   remove             the C API selects what is removed by ranges and lists of ids, not by a bitmap.
//
// An index comes as the C API's pointer, which is that of faiss::Index. What Faiss throws is caught, and
// returned as text in memory that the caller frees; NULL is success. The number of threads is not set here:
// see annbench_threads in faissshim.go.
//
// A Faiss that was installed without its C++ headers, or that is older than 1.11, gets what the C API can
// do: see annbench_faiss_shim.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#if defined(__has_include)
#if __has_include(<faiss/Index.h>)
#include <faiss/Index.h>
#endif
#if __has_include(<faiss/IndexIVFRaBitQ.h>) && __has_include(<faiss/AutoTune.h>)
#define ANNBENCH_SHIM 1
#include <faiss/AutoTune.h>
#include <faiss/Index2Layer.h>
#include <faiss/IndexAdditiveQuantizer.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFAdditiveQuantizer.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexIVFPQR.h>
#include <faiss/IndexIVFRaBitQ.h>
#include <faiss/IndexNSG.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRaBitQ.h>
#include <faiss/IndexRefine.h>
#include <faiss/VectorTransform.h>
#include <faiss/impl/IDSelector.h>
#include <faiss/impl/ProductAdditiveQuantizer.h>
#include <faiss/impl/ProductQuantizer.h>
#include <faiss/impl/ResidualQuantizer.h>
#endif
#endif

namespace faiss {
std::string get_compile_options();
}

#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

extern "C" const char *annbench_faiss_version(void) {
#ifdef FAISS_VERSION_MAJOR
    return STRING(FAISS_VERSION_MAJOR) "." STRING(FAISS_VERSION_MINOR) "." STRING(FAISS_VERSION_PATCH);
#else
    return "";
#endif
}

// The answer lives as long as the process.
extern "C" const char *annbench_faiss_options(void) {
    static const std::string options = faiss::get_compile_options();
    return options.c_str();
}

// Whether the functions below do anything.
extern "C" int annbench_faiss_shim(void) {
#ifdef ANNBENCH_SHIM
    return 1;
#else
    return 0;
#endif
}

namespace {

template <typename Do>
char *caught(Do work) {
    try {
        work();
        return nullptr;
    } catch (const std::exception &e) {
        return strdup(e.what());
    } catch (...) {
        return strdup("an exception of an unknown kind");
    }
}

#ifdef ANNBENCH_SHIM

// The index inside of transforms and refinement: the one that searches.
faiss::Index *inner(faiss::Index *index) {
    for (;;) {
        if (auto *x = dynamic_cast<faiss::IndexPreTransform *>(index)) {
            index = x->index;
        } else if (auto *x = dynamic_cast<faiss::IndexRefine *>(index)) {
            index = x->base_index;
        } else {
            return index;
        }
    }
}

// No warning where there are few vectors to train on: min_points_per_centroid does nothing else, and no index
// is saved with it.
struct Quiet {
    std::vector<std::unique_ptr<faiss::ProductQuantizer>> lent; // to rotations, which make such a one if they have none
    std::vector<faiss::OPQMatrix *> borrowers;

    static void of(faiss::ClusteringParameters &cp) { cp.min_points_per_centroid = 1; }

    static void of(faiss::AdditiveQuantizer *q) {
        if (auto *x = dynamic_cast<faiss::ResidualQuantizer *>(q)) of(x->cp);
        if (auto *x = dynamic_cast<faiss::ProductAdditiveQuantizer *>(q)) {
            for (auto *part : x->quantizers) of(part);
        }
    }

    void of(faiss::Index *index) {
        if (!index) return;
        if (auto *x = dynamic_cast<faiss::IndexPreTransform *>(index)) {
            for (auto *step : x->chain) {
                auto *opq = dynamic_cast<faiss::OPQMatrix *>(step);
                if (!opq || opq->pq) continue;
                int d = opq->d_out;
                if (opq->M <= 0 || d <= 0 || d % opq->M) continue;
                lent.emplace_back(new faiss::ProductQuantizer(d, opq->M, 8));
                of(lent.back()->cp);
                opq->pq = lent.back().get();
                borrowers.push_back(opq);
            }
            of(x->index);
        }
        if (auto *x = dynamic_cast<faiss::IndexIDMap *>(index)) of(x->index);
        if (auto *x = dynamic_cast<faiss::IndexRefine *>(index)) {
            of(x->base_index);
            of(x->refine_index);
        }
        if (auto *x = dynamic_cast<faiss::IndexHNSW *>(index)) of(x->storage);
        if (auto *x = dynamic_cast<faiss::IndexNSG *>(index)) of(x->storage);
        if (auto *x = dynamic_cast<faiss::IndexIVF *>(index)) {
            of(x->cp);
            of(x->quantizer);
        }
        if (auto *x = dynamic_cast<faiss::IndexIVFPQ *>(index)) of(x->pq.cp);
        if (auto *x = dynamic_cast<faiss::IndexIVFPQR *>(index)) of(x->refine_pq.cp);
        if (auto *x = dynamic_cast<faiss::IndexIVFPQFastScan *>(index)) of(x->pq.cp);
        if (auto *x = dynamic_cast<faiss::IndexIVFAdditiveQuantizer *>(index)) of(x->aq);
        if (auto *x = dynamic_cast<faiss::IndexPQ *>(index)) of(x->pq.cp);
        if (auto *x = dynamic_cast<faiss::IndexPQFastScan *>(index)) of(x->pq.cp);
        if (auto *x = dynamic_cast<faiss::MultiIndexQuantizer *>(index)) of(x->pq.cp);
        if (auto *x = dynamic_cast<faiss::IndexAdditiveQuantizer *>(index)) of(x->aq);
        if (auto *x = dynamic_cast<faiss::Index2Layer *>(index)) {
            of(x->q1.cp);
            of(x->q1.quantizer);
            of(x->pq.cp);
        }
    }

    ~Quiet() {
        for (auto *opq : borrowers) opq->pq = nullptr;
    }
};

// Search parameters with a selector, for an index and those inside of it, each set as its index is.
struct Among {
    std::vector<std::unique_ptr<faiss::SearchParameters>> all;

    template <typename P>
    P *keep() {
        auto *p = new P();
        all.emplace_back(p);
        return p;
    }

    faiss::SearchParameters *of(const faiss::Index *index, faiss::IDSelector *sel) {
        if (auto *x = dynamic_cast<const faiss::IndexPreTransform *>(index)) {
            auto *p = keep<faiss::SearchParametersPreTransform>();
            p->index_params = of(x->index, sel);
            return p;
        }
        if (auto *x = dynamic_cast<const faiss::IndexRefine *>(index)) {
            auto *p = keep<faiss::IndexRefineSearchParameters>();
            p->k_factor = x->k_factor;
            p->base_index_params = of(x->base_index, sel);
            return p;
        }
        if (auto *x = dynamic_cast<const faiss::IndexIVF *>(index)) {
            faiss::SearchParametersIVF *p;
            if (auto *r = dynamic_cast<const faiss::IndexIVFRaBitQ *>(index)) {
                auto *q = keep<faiss::IVFRaBitQSearchParameters>();
                q->qb = r->qb;
                p = q;
            } else {
                p = keep<faiss::SearchParametersIVF>();
            }
            p->nprobe = x->nprobe;
            p->max_codes = x->max_codes;
            p->sel = sel;
            return p;
        }
        if (auto *x = dynamic_cast<const faiss::IndexHNSW *>(index)) {
            auto *p = keep<faiss::SearchParametersHNSW>();
            p->efSearch = x->hnsw.efSearch;
            p->check_relative_distance = x->hnsw.check_relative_distance;
            p->bounded_queue = x->hnsw.search_bounded_queue;
            p->sel = sel;
            return p;
        }
        auto *p = keep<faiss::SearchParameters>();
        p->sel = sel;
        return p;
    }
};

#endif

} // namespace

// The names of the search settings that index has, each before a line feed, in memory that the caller
// frees.
extern "C" char *annbench_faiss_settings(void *index, char **names) {
    *names = nullptr;
    return caught([&] {
        std::string all;
#ifdef ANNBENCH_SHIM
        auto *top = static_cast<faiss::Index *>(index);
        faiss::ParameterSpace space;
        space.initialize(top);
        for (const auto &range : space.parameter_ranges) {
            all += range.name + "\n";
        }
        if (dynamic_cast<faiss::IndexIVFRaBitQ *>(inner(top)) || dynamic_cast<faiss::IndexRaBitQ *>(inner(top))) all += "qb\n";
#endif
        *names = strdup(all.c_str());
    });
}

// Sets a search setting. The caller has checked that value is one that Faiss's types hold.
extern "C" char *annbench_faiss_set(void *index, const char *name, double value) {
    return caught([&] {
#ifdef ANNBENCH_SHIM
        auto *top = static_cast<faiss::Index *>(index);
        if (!strcmp(name, "qb")) {
            if (auto *ivf = dynamic_cast<faiss::IndexIVFRaBitQ *>(inner(top))) {
                ivf->qb = uint8_t(value);
                return;
            }
            if (auto *flat = dynamic_cast<faiss::IndexRaBitQ *>(inner(top))) {
                flat->qb = uint8_t(value);
                return;
            }
        }
        faiss::ParameterSpace().set_index_parameter(top, name, value);
#endif
    });
}

// Trains on n vectors, without warnings.
extern "C" char *annbench_faiss_train(void *index, int64_t n, const float *x) {
    return caught([&] {
#ifdef ANNBENCH_SHIM
        auto *top = static_cast<faiss::Index *>(index);
        Quiet quiet;
        quiet.of(top);
        top->train(n, x);
#endif
    });
}

// Searches for the k nearest of one vector among the ids whose bits are set, bit i % 8 of byte i / 8.
extern "C" char *annbench_faiss_search_among(void *index, const float *q, int64_t k, const uint8_t *bits, size_t bytes, float *distances, int64_t *labels) {
    return caught([&] {
#ifdef ANNBENCH_SHIM
        auto *top = static_cast<const faiss::Index *>(index);
        faiss::IDSelectorBitmap sel(bytes, bits);
        Among among;
        top->search(1, q, k, distances, labels, among.of(top, &sel));
#endif
    });
}

// Removes the ids whose bits are set, and says how many those were.
extern "C" char *annbench_faiss_remove(void *index, const uint8_t *bits, size_t bytes, int64_t *removed) {
    return caught([&] {
#ifdef ANNBENCH_SHIM
        faiss::IDSelectorBitmap sel(bytes, bits);
        *removed = int64_t(static_cast<faiss::Index *>(index)->remove_ids(sel));
#endif
    });
}
