//go:build faiss

// What the C API of Faiss does not tell: its version, and what it was compiled for.

#include <string>

// The C API's headers do not name the version; the C++ ones do, where they are installed too.
#if defined(__has_include)
#if __has_include(<faiss/Index.h>)
#include <faiss/Index.h>
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
