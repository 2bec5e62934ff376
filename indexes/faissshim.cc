//go:build faiss

// The shim: what the C API of Faiss lacks, over its C++ headers. Each function stands here for one reason:
//
//   version, options   the C API names neither the version nor what the library was compiled for.
//   settings           which settings an index has, by Faiss's own table (ParameterSpace::initialize):
//                      the C API can set one, and says nothing of those that are there.
//   set                ParameterSpace does not know the search setting of RaBitQ: qb, under which lists are read.
//
// An index comes as the C API's pointer, which is that of faiss::Index. What Faiss throws is caught, and
// returned as text in memory that the caller frees; NULL is success. The number of threads is not set here:
// see annbench_threads in faiss.go.
//
// A Faiss that was installed without its C++ headers, or that is older than 1.11, gets what the C API can
// do: see annbench_faiss_shim.

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

#if defined(__has_include)
#if __has_include(<faiss/Index.h>)
#include <faiss/Index.h>
#endif
#if __has_include(<faiss/IndexIVFRaBitQ.h>) && __has_include(<faiss/AutoTune.h>)
#define ANNBENCH_SHIM 1
#include <faiss/AutoTune.h>
#include <faiss/IndexIVFRaBitQ.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRaBitQ.h>
#include <faiss/IndexRefine.h>
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
